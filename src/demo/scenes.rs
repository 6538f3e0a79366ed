//! What breaks in the demo's house, and what its people find.

use crate::domain::incident::Severity;

/// Who is on duty.
pub const OPERATORS: [&str; 8] = ["ada", "barbara", "edsger", "grace", "ken", "linus", "margaret", "radia"];

/// Where servers stand.
pub const REGIONS: [&str; 3] = ["eu-central", "eu-west", "us-east"];

/// One kind of trouble. In the texts `{}` is the server.
#[derive(Debug, Clone, Copy)]
pub struct Scene {
    /// The label by which an incident finds its scene again.
    pub service: &'static str,
    pub team: &'static str,
    pub severity: Severity,
    pub title: &'static str,
    pub report: &'static str,
    /// One of them has the trouble.
    pub servers: &'static [&'static str],
    /// Comments, in the order in which one finds out.
    pub findings: &'static [&'static str],
    /// How the harm was stopped.
    pub mitigation: &'static str,
    /// How the cause was removed.
    pub resolution: &'static str,
}

pub const SCENES: [Scene; 14] = [
    Scene {
        service: "checkout",
        team: "payments",
        severity: Severity::P1,
        title: "Checkout answers 502 on {}",
        report: "The error rate of /checkout on {} went from 0.1 % to 18 % within two minutes.",
        servers: &["web-01", "web-02", "web-03", "web-04"],
        findings: &[
            "All 502s come from one upstream; the others are healthy.",
            "The upstream's process restarted 14 times since the last deployment.",
            "It is killed for memory: the new image cache has no limit.",
        ],
        mitigation: "Taken out of the load balancer; the error rate is normal.",
        resolution: "The image cache is limited to 256 MiB; rolled out to all web servers.",
    },
    Scene {
        service: "orders-db",
        team: "databases",
        severity: Severity::P2,
        title: "Replication lag over 90 s on {}",
        report: "{} is behind its primary and the lag grows. Reports read from it show old orders.",
        servers: &["db-replica-1", "db-replica-2", "db-replica-3"],
        findings: &[
            "One replay process at 100 % of a core since 06:12.",
            "A nightly report holds a snapshot for three hours; replay waits for it.",
        ],
        mitigation: "The report is cancelled; the lag falls by 20 s a minute.",
        resolution: "Reports have a replica of their own and a statement timeout of 15 minutes.",
    },
    Scene {
        service: "search",
        team: "discovery",
        severity: Severity::P2,
        title: "Search takes over 4 s on {}",
        report: "The 95th percentile of search went from 220 ms to 4.1 s. Timeouts in the shop.",
        servers: &["search-1", "search-2", "search-3"],
        findings: &[
            "Garbage collection takes 70 % of the time.",
            "Wildcard queries from one client, some 40 a second.",
            "The client is a partner's price crawler.",
        ],
        mitigation: "The crawler is limited to one query a second.",
        resolution: "Leading wildcards are refused; the partner uses the price feed.",
    },
    Scene {
        service: "queue",
        team: "platform",
        severity: Severity::P1,
        title: "Messages pile up on {}",
        report: "240,000 messages wait on {}, and more come in than go out. Mails and invoices are late.",
        servers: &["mq-1", "mq-2", "mq-3"],
        findings: &[
            "The consumers are up, but each message takes 9 s.",
            "They wait for the mail relay, which answers every tenth connection.",
        ],
        mitigation: "Mail goes through the second relay; the queue empties in 25 minutes.",
        resolution: "The relay's limit of connections is raised, and an alert stands at half of it.",
    },
    Scene {
        service: "storage",
        team: "platform",
        severity: Severity::P2,
        title: "Disk 94 % full on {}",
        report: "/var on {} grows by 2 GiB an hour and is full at about midnight.",
        servers: &["nfs-1", "nfs-2", "backup-1", "log-1"],
        findings: &[
            "Two thirds are old core dumps of one program.",
            "Log rotation fails: its lock belongs to a process that is gone.",
        ],
        mitigation: "Core dumps older than a day are deleted; 61 % used.",
        resolution: "Rotation runs again; core dumps are kept for two days and 5 GiB at most.",
    },
    Scene {
        service: "certificates",
        team: "security",
        severity: Severity::P3,
        title: "Certificate of {} ends in 6 days",
        report: "Renewal for {} failed three times in a row.",
        servers: &["api-gw-1", "api-gw-2", "partner-gw-1"],
        findings: &["The challenge is answered with 403.", "Since Tuesday the firewall lets no unknown agent in."],
        mitigation: "Renewed by hand; valid for 90 days.",
        resolution: "The firewall has an exception for the challenge; the next renewal was tried in staging.",
    },
    Scene {
        service: "sign-in",
        team: "identity",
        severity: Severity::P0,
        title: "Nobody can sign in through {}",
        report: "Every sign-in through {} ends with `invalid token`. Sessions that exist still work.",
        servers: &["auth-1", "auth-2"],
        findings: &[
            "Tokens come from the future: the clocks differ by 74 s.",
            "The time service lost all its sources when the firewall changed.",
            "All services that check tokens are concerned, not only the shop.",
        ],
        mitigation: "The clock is set by hand; sign-in works.",
        resolution: "Time sources are reachable again, and a drift of 1 s is an alert.",
    },
    Scene {
        service: "network",
        team: "network",
        severity: Severity::P1,
        title: "Packet loss of 7 % behind {}",
        report: "Services behind {} see timeouts and repeated packets since 09:40.",
        servers: &["switch-a3", "switch-b1", "router-2"],
        findings: &["CRC errors on one port, and only there.", "The optics report -14 dBm; -3 is normal."],
        mitigation: "Traffic takes the other uplink.",
        resolution: "The fibre is cleaned and the optics replaced; no error in an hour.",
    },
    Scene {
        service: "batch",
        team: "data",
        severity: Severity::P3,
        title: "Nightly export did not finish on {}",
        report: "The export on {} runs since 02:00; it should have ended at 03:30.",
        servers: &["batch-1", "batch-2"],
        findings: &["It waits for a lock.", "A migration that was broken off holds the lock since yesterday."],
        mitigation: "The migration's session is ended; the export runs.",
        resolution: "Migrations have a lock timeout; the export was sent to finance at 10:05.",
    },
    Scene {
        service: "cdn",
        team: "web",
        severity: Severity::P3,
        title: "Old style sheets served from {}",
        report: "After the release, {} still answers with last week's files. Pages look broken for some.",
        servers: &["cdn-edge-1", "cdn-edge-2", "cdn-edge-3"],
        findings: &["Only files whose names did not change.", "The purge was refused: its token ended on Sunday."],
        mitigation: "Purged by hand.",
        resolution: "Files carry their hash in the name, so that no purge is needed.",
    },
    Scene {
        service: "cluster",
        team: "platform",
        severity: Severity::P2,
        title: "{} is not ready",
        report: "{} left the cluster; 31 pods moved to other nodes, 4 find no place.",
        servers: &["node-03", "node-07", "node-11", "node-12"],
        findings: &["The kubelet waits for the container runtime.", "The runtime's disk answers after 30 s."],
        mitigation: "The node is drained; all pods have a place.",
        resolution: "The disk is replaced, and the node is back.",
    },
    Scene {
        service: "payments-api",
        team: "payments",
        severity: Severity::P1,
        title: "Card payments declined through {}",
        report: "38 % of the card payments through {} are declined; 4 % is normal.",
        servers: &["pay-1", "pay-2"],
        findings: &[
            "Only one bank's cards, and only those with two factors.",
            "The bank confirms trouble on its side and promises an end at noon.",
        ],
        mitigation: "Customers of that bank are offered other ways to pay.",
        resolution: "The bank has mended its service; declines are at 4 % again.",
    },
    Scene {
        service: "monitoring",
        team: "platform",
        severity: Severity::P4,
        title: "No metrics from {} for 20 minutes",
        report: "Dashboards of {} are empty. The service itself answers.",
        servers: &["web-02", "db-primary", "mq-1", "node-07"],
        findings: &["The exporter's port is taken by another program."],
        mitigation: "The exporter listens on another port.",
        resolution: "Ports of exporters are reserved in the base image.",
    },
    Scene {
        service: "telephony",
        team: "support",
        severity: Severity::P2,
        title: "Calls drop after 30 s at {}",
        report: "Agents lose their calls after half a minute, all through {}.",
        servers: &["sip-1", "sip-2"],
        findings: &["The session refresh is never answered.", "It leaves by the wrong interface since the restart."],
        mitigation: "Calls go through the other gateway.",
        resolution: "The route is part of the configuration, and a restart keeps it.",
    },
];
