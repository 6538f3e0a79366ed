//! What one caller gets of this process: requests in a second; and what all get together: streams opened in a second.
//!
//! Each is a GCRA: a bucket that refills evenly. Sign-ins have a limit of their own, in `sign_in/passwords.rs`.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{DefaultDirectRateLimiter, DefaultKeyedRateLimiter, Quota, RateLimiter};
use poem::Request;
use poem::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use uuid::Uuid;

use super::Asked;
use super::problem::Problem;

/// Of RateLimit header fields for HTTP, draft-ietf-httpapi-ratelimit-headers-10.
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const STANDING: HeaderName = HeaderName::from_static("ratelimit");
/// Seconds' worth of requests that may come at once.
const BURST_S: u32 = 2;
/// Callers remembered, at some 100 bytes each. Beyond them, addresses not signed in share one limit;
/// users are no more than there are.
const MOST_CALLERS: usize = 100_000;
/// When streams that were refused come back, in s: spread, so that a storm does not only move.
const OPEN_AGAIN_S: std::ops::RangeInclusive<u32> = 1..=5;

/// Between two reports of one session, in s, and reports at once.
const REPORT_EVERY_S: u64 = 10;
const REPORTS_AT_ONCE: NonZeroU32 = NonZeroU32::MIN.saturating_add(2);

/// The limits of a process.
pub struct Limits {
    opens: Option<DefaultDirectRateLimiter>,
    requests: Option<Requests>,
    reports: DefaultKeyedRateLimiter<Uuid>,
}

struct Requests {
    callers: RateLimiter<Caller, DefaultKeyedStateStore<Caller>, DefaultClock, StateInformationMiddleware>,
    per_s: NonZeroU32,
    burst: u32,
}

/// Whose requests count together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Caller {
    User(Uuid),
    /// Not signed in. The peer of the connection: who else asked is for a proxy to limit, a header proves nothing.
    Peer(IpAddr),
    Crowd,
}

/// Where a caller stands, as the answer's headers say it. Filled once its request was counted.
#[derive(Debug, Clone, Default)]
pub struct Standing(Arc<OnceLock<[(HeaderName, HeaderValue); 2]>>);

impl Standing {
    /// Says it in an answer's headers.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.extend(self.0.get().into_iter().flatten().cloned());
    }
}

impl Limits {
    /// So many streams opened in a second, and requests of one caller in a second; 0 sets no limit.
    pub fn new(stream_opens_per_s: u32, requests_per_s: u32) -> Limits {
        let requests = NonZeroU32::new(requests_per_s).map(|per_s| {
            let burst = per_s.saturating_mul(NonZeroU32::MIN.saturating_add(BURST_S - 1));
            let callers = RateLimiter::keyed(Quota::per_second(per_s).allow_burst(burst));
            Requests { callers: callers.with_middleware(), per_s, burst: burst.get() }
        });
        let opens = NonZeroU32::new(stream_opens_per_s).map(|per_s| RateLimiter::direct(Quota::per_second(per_s)));
        let reports =
            Quota::with_period(Duration::from_secs(REPORT_EVERY_S)).unwrap_or(Quota::per_minute(NonZeroU32::MIN));
        let reports = RateLimiter::keyed(reports.allow_burst(REPORTS_AT_ONCE));
        Limits { opens, requests, reports }
    }

    /// Counts a request whose token was looked at, and nothing else yet: `user` is whose it is, if it is valid.
    ///
    /// # Errors
    /// 429 for a caller who asks too often; 503 for one of too many streams.
    pub fn admit(&self, request: &Request, user: Option<Uuid>) -> Result<(), Problem> {
        if request.uri().path().ends_with("/events/stream") {
            // Counted only with a token: else anybody could use up what all have together.
            return if user.is_some() { self.open_stream() } else { Ok(()) };
        }
        let Some(requests) = &self.requests else { return Ok(()) };
        let caller = user.map_or_else(|| requests.peer(request), Caller::User);
        requests.count(&caller, request.data::<Asked>().map(|asked| &asked.standing))
    }

    /// Counts a request of somebody who is not known yet, and for whom the database would have to be asked.
    ///
    /// # Errors
    /// 429 for an address that asks too often.
    pub fn stranger(&self, request: &Request) -> Result<(), Problem> {
        let Some(requests) = &self.requests else { return Ok(()) };
        requests.count(&requests.peer(request), request.data::<Asked>().map(|asked| &asked.standing))
    }

    /// Counts a stream that opens.
    ///
    /// # Errors
    /// 503: come back a little later.
    pub fn open_stream(&self) -> Result<(), Problem> {
        if self.opens.as_ref().is_none_or(|opens| opens.check().is_ok()) {
            return Ok(());
        }
        let wait_s = rand::random_range(OPEN_AGAIN_S);
        Err(Problem::unavailable("too_many_at_once", "too many streams open at this moment; nothing is lost", wait_s))
    }

    /// Counts a client's report of itself.
    ///
    /// # Errors
    /// After how many seconds to come back.
    pub fn report(&self, session: Uuid) -> Result<(), u64> {
        let counted = self.reports.check_key(&session);
        counted.map_err(|until| until.wait_time_from(self.reports.clock().now()).as_secs() + 1)
    }

    /// Forgets callers who have their whole quota again. To be called now and then.
    pub fn forget(&self) {
        self.reports.retain_recent();
        self.reports.shrink_to_fit();
        if let Some(requests) = &self.requests {
            requests.callers.retain_recent();
            requests.callers.shrink_to_fit();
        }
    }
}

impl Requests {
    fn peer(&self, request: &Request) -> Caller {
        if self.callers.len() >= MOST_CALLERS {
            return Caller::Crowd;
        }
        request.remote_addr().as_socket_addr().map_or(Caller::Crowd, |peer| Caller::Peer(network(peer.ip())))
    }

    fn count(&self, caller: &Caller, standing: Option<&Standing>) -> Result<(), Problem> {
        let counted = self.callers.check_key(caller);
        let left = counted.as_ref().map_or(0, |state| state.remaining_burst_capacity());
        if let Some(Standing(cell)) = standing {
            let _ = cell.set(self.standing(left)); // a request is counted once
        }
        let Err(until) = counted else { return Ok(()) };
        let wait_s = until.wait_time_from(self.callers.clock().now()).as_secs() + 1;
        let detail = format!("at most {} requests per second, {} at once", self.per_s, self.burst);
        let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", detail);
        Err(problem.header(header::RETRY_AFTER, &wait_s.to_string()))
    }

    /// `q` requests in `w` seconds; `r` of them left, and all again in `t` seconds.
    fn standing(&self, left: u32) -> [(HeaderName, HeaderValue); 2] {
        let full_s = self.burst.saturating_sub(left).div_ceil(self.per_s.get());
        let value = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        [
            (POLICY, value(format!("\"requests\";q={};w={BURST_S}", self.burst))),
            (STANDING, value(format!("\"requests\";r={left};t={full_s}"))),
        ]
    }
}

/// What one holder of an address has: of IPv6 at least 64 bits.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}
