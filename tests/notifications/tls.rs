//! TLS: whom a webhook and a mail are given to, and that nobody else gets anything.

use serde_json::{Value, json};
use tokio_rustls::TlsAcceptor;

use super::{CHANNELS, LOCAL, deliveries, path, webhook};
use crate::harness::{Authority, Client, Mailbox, Receiver, Secured, World, world};

/// A test of a webhook to whoever answers with this, as the attempts log has it, and what arrived.
async fn told(client: &Client, name: &str, tls: TlsAcceptor) -> (Value, usize) {
    let mut receiver = Receiver::secured(tls).await;
    let channel = webhook(client, name, &receiver).await;
    let answer = client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    let log = deliveries(client, &channel, "").await;
    (log[0]["attempts"][0].clone(), receiver.rest().len())
}

/// A test of a mail, as the attempts log has it.
async fn mailed(world: &World, settings: &[&str], smtp: &str) -> Value {
    let smtp = format!("--smtp-url={smtp}");
    let settings: Vec<&str> = settings.iter().copied().chain([smtp.as_str()]).collect();
    let server = world.serve_with(&settings).await;
    let client = server.admin().await;
    let body = json!({ "name": "ops", "kind": "mail", "to": ["ops@example.org"] });
    let channel = client.post(CHANNELS, body).await;
    assert_eq!(channel.status, 201, "{}", channel.text);
    let answer = client.request(reqwest::Method::POST, &path(&channel.json, "/test")).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    deliveries(&client, &channel.json, "").await[0]["attempts"][0].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_goes_to_whom_a_trusted_authority_vouches_for_and_to_nobody_else() {
    let (world, authority) = (world().await, Authority::new());
    let server = world.serve_with(&[LOCAL, &authority.setting()]).await;
    let client = server.admin().await;
    let (attempt, arrived) = told(&client, "good", authority.good()).await;
    assert_eq!((&attempt["outcome"], arrived), (&json!("sent"), 1), "{attempt}");

    let refused = [
        (
            "nobody's",
            authority.self_signed("-addext basicConstraints=critical,CA:FALSE"),
            "is self-signed, or signed by",
        ),
        ("its own", authority.self_signed(""), "that of an authority, self-signed"),
        ("old", authority.expired(), "the certificate expired on 2020-02-01"),
        ("another's", authority.of_another_name(), "is for hooks.example.org, and not for 127.0.0.1"),
        ("a stranger's", Authority::named("stranger").good(), "SIGNALBOX_EGRESS_CA_FILE"),
    ];
    for (name, tls, why) in refused {
        let (attempt, arrived) = told(&client, name, tls).await;
        assert_eq!(
            (&attempt["outcome"], &attempt["reason"], arrived),
            (&json!("failed"), &json!("tls"), 0),
            "{attempt}"
        );
        assert!(attempt["detail"].as_str().unwrap().contains(why), "{name}: {attempt}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_no_setting_names_is_not_trusted() {
    let (world, authority) = (world().await, Authority::new());
    let server = world.serve_with(&[LOCAL]).await;
    let (attempt, arrived) = told(&server.admin().await, "good elsewhere", authority.good()).await;
    assert_eq!((&attempt["reason"], arrived), (&json!("tls"), 0), "{attempt}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_speaks_no_tls_is_said_to_speak_none() {
    let world = world().await;
    let server = world.serve_with(&[LOCAL]).await;
    let client = server.admin().await;
    let mut receiver = Receiver::start().await;
    receiver.url = receiver.url.replace("http://", "https://");
    let channel = webhook(&client, "plain", &receiver).await;
    client.request(reqwest::Method::POST, &path(&channel, "/test")).send().await.unwrap();
    let attempt = deliveries(&client, &channel, "").await[0]["attempts"][0].clone();
    assert_eq!(attempt["reason"], "tls", "{attempt}");
    assert!(receiver.rest().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_by_starttls_and_by_tls_from_the_start_and_its_password_in_neither_in_the_clear() {
    let authority = Authority::new();
    for secured in [Secured::Asked(authority.good()), Secured::AtOnce(authority.good())] {
        let world = world().await;
        let mut mailbox = Mailbox::secured(secured).await;
        let attempt = mailed(&world, &[&authority.setting()], &mailbox.url).await;
        assert_eq!(attempt["outcome"], "sent", "{attempt}");
        assert_eq!(mailbox.next().await.to, ["ops@example.org"]);
        let is_private = |command: &String| command.starts_with("AUTH") || command.starts_with("MAIL");
        assert_eq!(mailbox.heard(false).iter().filter(|command| is_private(command)).count(), 2);
        assert!(!mailbox.heard(true).iter().any(is_private), "{:?}", mailbox.heard(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_with_a_certificate_that_is_not_good_gets_neither_mail_nor_password() {
    let authority = Authority::new();
    let cases = [
        (
            Secured::Asked(authority.self_signed("-addext basicConstraints=critical,CA:FALSE")),
            "is self-signed, or signed",
        ),
        (Secured::AtOnce(authority.expired()), "the certificate expired on 2020-02-01"),
        (Secured::Asked(authority.of_another_name()), "is for hooks.example.org, and not for 127.0.0.1"),
    ];
    for (secured, why) in cases {
        let world = world().await;
        let mut mailbox = Mailbox::secured(secured).await;
        let attempt = mailed(&world, &[&authority.setting()], &mailbox.url).await;
        assert_eq!(attempt["reason"], "tls", "{attempt}");
        assert!(attempt["detail"].as_str().unwrap().contains(why), "{attempt}");
        assert!(mailbox.rest().is_empty() && mailbox.heard(false).is_empty());
        assert!(!mailbox.heard(true).iter().any(|command| command.starts_with("AUTH")), "{:?}", mailbox.heard(true));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_offers_no_starttls_gets_nothing_when_it_was_asked_for() {
    let world = world().await;
    let mut mailbox = Mailbox::start().await;
    let asked = mailbox.url.replace("smtp://", "smtp://ada:opensesame@") + "?tls=required";
    let attempt = mailed(&world, &[], &asked).await;
    assert_eq!((&attempt["outcome"], &attempt["reason"]), (&json!("failed"), &json!("tls")), "{attempt}");
    assert!(attempt["detail"].as_str().unwrap().contains("offers no STARTTLS"), "{attempt}");
    assert!(mailbox.rest().is_empty());
    let heard = mailbox.heard(true);
    assert!(heard.iter().all(|command| command.starts_with("EHLO") || command == "QUIT"), "{heard:?}");
}

#[test]
fn a_file_of_authorities_that_cannot_be_read_or_holds_none_is_said_so() {
    let authority = Authority::new();
    let good = authority.setting().split_once('=').unwrap().1.to_owned();
    signalbox::egress::Trust::read(Some(good.as_ref())).map(drop).unwrap();
    for (file, why) in [(good.replace("authority.pem", "settings"), "no certificate"), (good + ".gone", "No such file")]
    {
        let error = signalbox::egress::Trust::read(Some(file.as_ref())).map(drop).unwrap_err();
        let said = format!("{error:#}");
        assert!(said.contains("SIGNALBOX_EGRESS_CA_FILE") && said.contains(why), "{said}");
    }
}
