//! The attempts log: what became of each delivery, and why one was not sent.

use poem_openapi::OpenApi;
use poem_openapi::param::{Path, Query};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

use super::Tag;
use super::view::{AttemptView, DeliveryPage, DeliveryView, Status};
use crate::domain::permission::NotificationsRead;
use crate::http::allowed::Allowed;
use crate::http::answer::{Answer, Shown};
use crate::http::page;
use crate::http::problem::Problem;
use crate::notifications::store;

/// Rows of a page: by default, and at most.
const DEFAULT_LIMIT: i64 = 50;
const MOST_LIMIT: i64 = 200;

/// The operations on deliveries.
pub struct Deliveries;

#[OpenApi(prefix_path = "/api/v1", tag = "Tag::Notifications")]
impl Deliveries {
    /// List a channel's deliveries and their attempts
    ///
    /// Kept for 30 days behind their end; the events of their streams stay.
    #[oai(
        path = "/notification-channels/:channel/deliveries",
        method = "get",
        operation_id = "listNotificationDeliveries"
    )]
    async fn list(
        &self,
        caller: Allowed<NotificationsRead>,
        channel: Path<Uuid>,
        /// Only these.
        status: Query<Option<Status>>,
        /// Rows of a page, 1 to 200; default 50.
        limit: Query<Option<i64>>,
        /// `next` of the page before.
        cursor: Query<Option<String>>,
    ) -> Answer<Shown<DeliveryPage>> {
        let limit = page::limit(limit.0, DEFAULT_LIMIT, MOST_LIMIT)?;
        let before = cursor.0.map(|cursor| cursor.parse::<i64>()).transpose();
        let before = before.map_err(|_malformed| page::malformed_cursor())?;
        super::channel(&caller.app, channel.0).await?;
        let sql = include_str!("../../../sql/queries/notification_deliveries_list.sql");
        let status = status.0.map(Status::as_str);
        let rows = caller.app.database.query(sql, &[&channel.0, &status, &before, &(limit + 1)]).await?;
        let head = rows.first().map(store::head).transpose()?;
        let head = head.ok_or_else(|| Problem::unavailable("database_unavailable", "the log has no head", 1))?;
        let found: Vec<&Row> = rows.iter().filter(|row| row.get::<_, Option<Uuid>>("id").is_some()).collect();
        let shown = &found[..found.len().min(limit as usize)];
        let next = (found.len() > shown.len()).then(|| shown.last().map(|row| row.get::<_, i64>("place").to_string()));
        let page = DeliveryPage { items: shown.iter().map(|row| delivery(row)).collect(), next: next.flatten() };
        Ok(Shown::bytes_of(&page, head, caller.known.as_deref()))
    }
}

fn delivery(row: &Row) -> DeliveryView {
    DeliveryView {
        id: row.get("id"),
        event_seq: row.get("event_seq"),
        rule: row.get("rule_id"),
        cause: row.get("cause"),
        status: Status::of(row.get("status")),
        reason: row.get("reason"),
        next_attempt_at: row.get("next_attempt_at"),
        created_at: row.get("created_at"),
        ended_at: row.get("ended_at"),
        attempts: row.get::<_, Option<Json<Vec<AttemptView>>>>("log").map_or_else(Vec::new, |Json(log)| log),
    }
}
