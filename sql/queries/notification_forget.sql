-- notification_forget: sql/functions/notification_forget.sql
select notification_forget();
