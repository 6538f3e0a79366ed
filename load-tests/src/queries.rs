//! How many statements PostgreSQL carried out, as PostgreSQL itself counted them.

use anyhow::{Context, Result};
use serde::Serialize;
use signalbox::postgres::private::{Cluster, Options, SUPERUSER};
use tokio_postgres::{Client, NoTls};

/// Characters of a statement that a report shows.
const SHOWN_CHARS: usize = 70;

/// What the extension needs before it can count. `track` is `top`: what a function such as
/// `append` does inside is one call; BEGIN, LISTEN and SET are no queries.
const COUNTING: [(&str, &str); 2] =
    [("shared_preload_libraries", "pg_stat_statements"), ("pg_stat_statements.track_utility", "off")];

/// Starts a private cluster that counts each statement where the extension is installed.
///
/// Blocks.
pub fn start_counting(options: &Options) -> Result<Cluster> {
    let mut counting = options.clone();
    counting.settings.extend(COUNTING.map(|(name, value)| (name.to_owned(), value.to_owned())));
    // Without its library PostgreSQL does not start with these settings; then transactions are counted.
    match Cluster::start(&counting) {
        Ok(cluster) => Ok(cluster),
        Err(_library_missing) => Ok(Cluster::start(options)?),
    }
}

/// Who counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Source {
    /// The extension: calls of each statement.
    #[serde(rename = "pg_stat_statements")]
    Statements,
    /// `xact_commit` of pg_stat_database. Statements outside a transaction are one each; its
    /// figures lag by up to a second.
    #[serde(rename = "pg_stat_database")]
    Transactions,
}

/// A session that reads the counters.
#[derive(Debug)]
pub struct Queries {
    client: Client,
    source: Source,
}

/// The counters at one moment.
#[derive(Clone, Debug)]
pub struct Counted(Vec<Statement>);

/// One statement, and how often it was carried out.
#[derive(Clone, Debug, Serialize)]
pub struct Statement {
    /// PostgreSQL's number for it.
    #[serde(skip)]
    id: i64,
    /// Its beginning, constants and empty space taken out.
    pub query: String,
    /// How often.
    pub calls: i64,
}

impl Queries {
    /// Connects to the database `postgres`, which every scenario uses.
    pub async fn of(cluster: &Cluster) -> Result<Queries> {
        let (client, connection) = tokio_postgres::connect(&cluster.url("postgres", SUPERUSER), NoTls).await?;
        tokio::spawn(connection);
        let loaded = client.query_one("show shared_preload_libraries", &[]).await?.get::<_, String>(0);
        let source = if loaded.is_empty() { Source::Transactions } else { Source::Statements };
        if source == Source::Statements {
            client.batch_execute("create extension if not exists pg_stat_statements").await?;
        }
        Ok(Queries { client, source })
    }

    /// Who counts.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The counters now. What this module asks is left out.
    pub async fn count(&self) -> Result<Counted> {
        let sql = match self.source {
            Source::Statements => {
                "select queryid, query, sum(calls)::bigint from pg_stat_statements
                  where query not like '%pg_stat_%' and dbid = (select oid from pg_database where datname = 'postgres')
                  group by queryid, query"
            }
            // This very question is a transaction as well, counted at the next one.
            Source::Transactions => {
                "select 0::bigint, 'all transactions', xact_commit from pg_stat_database where datname = 'postgres'"
            }
        };
        let rows = self.client.query(sql, &[]).await.context("PostgreSQL's counters")?;
        let statement =
            |row: &tokio_postgres::Row| Statement { id: row.get(0), query: brief(row.get(1)), calls: row.get(2) };
        Ok(Counted(rows.iter().map(statement).collect()))
    }
}

impl Counted {
    /// What was carried out since an earlier count, the most frequent first.
    pub fn since(&self, earlier: &Counted) -> Vec<Statement> {
        let before = |id| earlier.0.iter().find(|statement| statement.id == id).map_or(0, |statement| statement.calls);
        let rest = self.0.iter().map(|now| Statement { calls: now.calls - before(now.id), ..now.clone() });
        let mut carried_out: Vec<Statement> = rest.filter(|statement| statement.calls > 0).collect();
        carried_out.sort_by_key(|statement| -statement.calls);
        carried_out
    }
}

/// All of them together.
pub fn total(statements: &[Statement]) -> i64 {
    statements.iter().map(|statement| statement.calls).sum()
}

/// Those that do not occur in another list at all.
pub fn without(statements: &[Statement], others: &[Statement]) -> Vec<Statement> {
    let known = |statement: &&Statement| others.iter().any(|other| other.id == statement.id);
    statements.iter().filter(|statement| !known(statement)).cloned().collect()
}

/// What is more, statement by statement, than `share` times another list.
pub fn beyond(statements: &[Statement], others: &[Statement], share: f64) -> f64 {
    let known = |id| others.iter().find(|other| other.id == id).map_or(0, |other| other.calls) as f64;
    statements.iter().map(|statement| (statement.calls as f64 - share * known(statement.id)).max(0.0)).sum()
}

/// The first characters without comments and line ends.
fn brief(query: String) -> String {
    let code = query.lines().filter(|line| !line.trim_start().starts_with("--"));
    let words: Vec<&str> = code.flat_map(str::split_whitespace).collect();
    words.join(" ").chars().take(SHOWN_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(calls: &[(i64, i64)]) -> Counted {
        Counted(calls.iter().map(|&(id, calls)| Statement { id, query: format!("q{id}"), calls }).collect())
    }

    #[test]
    fn only_what_happened_in_between_is_counted() {
        let before = counted(&[(1, 5), (2, 7)]);
        let between = counted(&[(1, 6), (2, 7), (3, 4)]).since(&before);
        assert_eq!(
            between.iter().map(|statement| (statement.id, statement.calls)).collect::<Vec<_>>(),
            [(3, 4), (1, 1)]
        );
        assert_eq!(total(&between), 5);
        assert_eq!(total(&without(&between, &counted(&[(3, 9)]).0)), 1);
        // Fewer calls of one statement make up for no more of another.
        assert_eq!(beyond(&between, &counted(&[(1, 8), (3, 2)]).0, 0.5), 3.0);
    }

    #[test]
    fn a_statement_is_shown_without_its_header() {
        assert_eq!(brief("-- all: of it\nselect *\n   from events".to_owned()), "select * from events");
    }
}
