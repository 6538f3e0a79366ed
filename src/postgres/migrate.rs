//! Brings a database to this version: roles, migrations, functions, grants.

use anyhow::Context;
use tokio_postgres::Client;

use super::{APP_ROLE, Direct};

mod migrations {
    refinery::embed_migrations!("migrations");
}

/// Held by whoever migrates; others wait. "signalbx" in ASCII.
const MIGRATION_LOCK: i64 = 0x7369_676e_616c_6278;

/// Replaced whole at every migrate, in this order; each file names what it takes and returns.
const FUNCTIONS: &[&str] = &[
    include_str!("../../sql/functions/append.sql"),
    include_str!("../../sql/functions/consumed_notifications.sql"),
    include_str!("../../sql/functions/consumer_advance.sql"),
    include_str!("../../sql/functions/consumer_renew.sql"),
    include_str!("../../sql/functions/consumer_take.sql"),
    include_str!("../../sql/functions/events_expire.sql"),
    include_str!("../../sql/functions/events_place.sql"),
    include_str!("../../sql/functions/events_search.sql"),
    include_str!("../../sql/functions/execution_claim.sql"),
    include_str!("../../sql/functions/log_filter.sql"),
    include_str!("../../sql/functions/log_histogram.sql"),
    include_str!("../../sql/functions/log_partition_add.sql"),
    include_str!("../../sql/functions/log_partitions.sql"),
    include_str!("../../sql/functions/log_search.sql"),
    include_str!("../../sql/functions/log_words_index.sql"),
    include_str!("../../sql/functions/notification_forget.sql"),
    include_str!("../../sql/functions/notification_replay.sql"),
    include_str!("../../sql/functions/places_register.sql"),
    include_str!("../../sql/functions/places_take.sql"),
    include_str!("../../sql/functions/state_api_token.sql"),
    include_str!("../../sql/functions/state_consumer.sql"),
    include_str!("../../sql/functions/state_credential.sql"),
    include_str!("../../sql/functions/state_execution.sql"),
    include_str!("../../sql/functions/state_execution_fence.sql"),
    include_str!("../../sql/functions/state_execution_secret.sql"),
    include_str!("../../sql/functions/state_incident.sql"),
    include_str!("../../sql/functions/state_invitation.sql"),
    include_str!("../../sql/functions/state_log_lines.sql"),
    include_str!("../../sql/functions/state_notification_attempt.sql"),
    include_str!("../../sql/functions/state_notification_channel.sql"),
    include_str!("../../sql/functions/state_notification_replay.sql"),
    include_str!("../../sql/functions/state_notification_rule.sql"),
    include_str!("../../sql/functions/state_notification_secret.sql"),
    include_str!("../../sql/functions/state_role.sql"),
    include_str!("../../sql/functions/state_runbook.sql"),
    include_str!("../../sql/functions/state_server.sql"),
    include_str!("../../sql/functions/state_server_credential.sql"),
    include_str!("../../sql/functions/state_server_filters.sql"),
    include_str!("../../sql/functions/state_server_utilization.sql"),
    include_str!("../../sql/functions/state_session.sql"),
    include_str!("../../sql/functions/state_user.sql"),
    include_str!("../../sql/grants.sql"),
];

/// Migrates, alone: any number of processes may call it at once on an empty database.
///
/// Runs on one direct connection. Tables and functions belong to `signalbox_owner`, which nobody signs in as.
///
/// # Errors
/// The database is unreachable, the user may not create what is missing, or a migration was edited.
pub async fn migrate(database: &Direct) -> anyhow::Result<()> {
    let (mut client, connection) = database.connect("signalbox-migrate").await?;
    let driver = tokio::spawn(connection);
    client.execute("select pg_advisory_lock($1)", &[&MIGRATION_LOCK]).await?;
    let migrated = locked(&mut client).await;
    drop(client); // ends the session, and with it the lock
    driver.await??;
    migrated
}

async fn locked(client: &mut Client) -> anyhow::Result<()> {
    let version: String = client.query_one("show server_version_num", &[]).await?.get(0);
    anyhow::ensure!(version.parse::<i32>()? >= 140_000, "PostgreSQL 14 or newer is needed; this server says {version}");
    client.batch_execute(include_str!("../../sql/roles.sql")).await.with_context(|| {
        format!("the roles signalbox_owner and {APP_ROLE} are missing and this user may not create them")
    })?;
    client.batch_execute(include_str!("../../sql/extensions.sql")).await?;
    client.batch_execute("set role signalbox_owner").await.context("this user may not act as signalbox_owner")?;
    let report = migrations::migrations::runner().run_async(client).await.map_err(|error| explain(&error))?;
    for migration in report.applied_migrations() {
        tracing::info!(%migration, "migrated");
    }
    for sql in FUNCTIONS {
        client.batch_execute(sql).await?;
    }
    client.execute(include_str!("../../sql/queries/log_partitions.sql"), &[&0_i32]).await?; // made ahead; none dropped
    client.execute(include_str!("../../sql/queries/secret_add.sql"), &[&"access-token", &random_key()?]).await?;
    Ok(())
}

fn explain(error: &refinery::Error) -> anyhow::Error {
    anyhow::anyhow!("migration failed: {error}")
}

fn random_key() -> anyhow::Result<Vec<u8>> {
    let mut key = vec![0; 32];
    aws_lc_rs::rand::fill(&mut key).map_err(|_unspecified| anyhow::anyhow!("no random bytes from the system"))?;
    Ok(key)
}
