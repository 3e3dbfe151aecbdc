use std::fmt;
use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use crate::clock::Clock;
use crate::error::{Effect, Error, ErrorKind, Operation, Result, Retry};
use crate::memory::fault::{Fault, Schedule, Strike};
use crate::memory::log::{Log, LogEntry, Outcome};
use crate::memory::shelf::{Lag, Moment};
use crate::memory::sleep::Sleep;
use crate::reference::SecretRef;

/// How a backend refuses a request, in the words of its own interface.
pub(crate) trait Refusal: Copy {
    /// The code on the wire.
    fn code(self) -> &'static str;

    /// What it means where the caller knows no better.
    fn to_error(self) -> Error;
}

/// Why a request gave no answer.
pub(crate) enum Failure<W> {
    /// The backend refused it.
    Refused(W),
    /// It never got there, or its answer never came back.
    Failed(Error),
}

impl<W: Refusal> From<Failure<W>> for Error {
    fn from(failure: Failure<W>) -> Self {
        match failure {
            Failure::Refused(refusal) => refusal.to_error(),
            Failure::Failed(error) => error,
        }
    }
}

/// What a request does, for the effect of a call that fails later on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// It changes nothing.
    Read,
    /// It changes what only this provider looks at: intents, labels of its own, tidying up.
    Prepare,
    /// It changes what readers see.
    Write,
}

/// One user of a store: its clock, its faults, its log.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) sleeper: Option<Arc<dyn Sleep>>,
    pub(crate) propagation: Duration,
    schedule: Mutex<Arc<Schedule>>,
    log: Mutex<Log>,
}

impl Client {
    pub(crate) fn new(
        clock: Arc<dyn Clock>,
        sleeper: Option<Arc<dyn Sleep>>,
        propagation: Duration,
    ) -> Self {
        Self { clock, sleeper, propagation, schedule: Mutex::default(), log: Mutex::default() }
    }

    pub(crate) fn install(&self, schedule: Schedule) {
        *self.schedule.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(schedule);
    }

    pub(crate) fn schedule(&self) -> Arc<Schedule> {
        self.schedule.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How far the reads of an operation lag. Those inside a write do not, or a second write would
    /// find what was before the first: only a fault makes them.
    fn lag(&self, operation: Operation) -> Lag {
        match operation {
            // At once is not a lag of zero: the clock may jump back.
            _ if self.propagation.is_zero() => Lag::NONE,
            Operation::GetSecret
            | Operation::GetSecrets
            | Operation::DescribeSecret
            | Operation::ListVersions
            | Operation::ListSecrets
            | Operation::Health => Lag::Time(self.propagation),
            _ => Lag::NONE,
        }
    }

    /// Begins a call; the faults that strike it as a whole strike now.
    pub(crate) async fn begin(
        &self,
        operation: Operation,
        subject: Option<&SecretRef>,
    ) -> Result<Session<'_>> {
        let schedule = self.schedule();
        let call = schedule.count(operation);
        self.log().count(operation);
        let mut session = Session {
            client: self,
            operation,
            subject: subject.map(ToString::to_string).unwrap_or_default().into(),
            call,
            step: AtomicU32::new(0),
            wrote: AtomicBool::new(false),
            lag: self.lag(operation),
            strikes: schedule.strikes(operation, call, None),
            schedule,
        };
        if let Some(lag) = stale(&session.strikes) {
            session.lag = lag;
        }
        match session.strike(&session.strikes).await {
            Ok(()) => Ok(session),
            Err(error) => session.end(Err(error)),
        }
    }
}

/// One call of an operation.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    client: &'a Client,
    schedule: Arc<Schedule>,
    operation: Operation,
    subject: Box<str>,
    call: u64,
    step: AtomicU32,
    wrote: AtomicBool,
    lag: Lag,
    strikes: Vec<Strike>,
}

impl Session<'_> {
    /// One request to the backend: it may be late, get lost, or lose its answer.
    pub(crate) async fn request<T, W: Refusal>(
        &self,
        request: &'static str,
        access: Access,
        send: impl FnOnce(Moment) -> Result<T, W>,
    ) -> Result<T, Failure<W>> {
        let step = self.step.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        let strikes = self.schedule.strikes(self.operation, self.call, NonZeroU32::new(step));
        let entry = |outcome| self.entry(Some(step), request, outcome, &strikes);
        if let Err(error) = self.strike(&strikes).await {
            self.client.log().push(entry(Outcome::Failed(error.kind())));
            return Err(Failure::Failed(error));
        }
        let lag = stale(&strikes).unwrap_or(self.lag);
        let answer = send(Moment { now: self.client.clock.now(), lag });
        if answer.is_ok() && access == Access::Write {
            self.wrote.store(true, Ordering::Relaxed);
        }
        let outcome = match &answer {
            Ok(_) => Outcome::Done,
            Err(refusal) => Outcome::Refused(refusal.code()),
        };
        if loses_reply(&strikes) {
            self.schedule.note_struck();
            self.client.log().push(entry(Outcome::Failed(ErrorKind::Timeout)));
            return Err(Failure::Failed(lost()));
        }
        self.client.log().push(entry(outcome));
        answer.map_err(Failure::Refused)
    }

    /// Waits, where there is something to wait with. Without a sleeper the caller has to.
    pub(crate) async fn pause(&self, duration: Duration, message: &'static str) -> Result<()> {
        match &self.client.sleeper {
            Some(sleeper) => {
                sleeper.sleep(duration).await;
                Ok(())
            }
            None => Err(Error::new(ErrorKind::Conflict, message)
                .with_retry(Retry::After(duration))
                .with_effect(Effect::NotApplied)),
        }
    }

    /// True when a request of this call has changed what readers see.
    pub(crate) fn wrote(&self) -> bool {
        self.wrote.load(Ordering::Relaxed)
    }

    /// Which other secret this call answers with, where it does.
    pub(crate) fn wrong_answer(&self) -> Option<&SecretRef> {
        self.strikes.iter().find_map(|strike| match &strike.fault {
            Fault::WrongAnswer(reference) => {
                self.schedule.note_struck();
                Some(reference)
            }
            _ => None,
        })
    }

    /// Ends the call: its answer may get lost, its error learns what was done before it.
    pub(crate) fn end<T>(&self, result: Result<T>) -> Result<T> {
        let result = match result {
            Ok(_) if loses_reply(&self.strikes) => {
                self.schedule.note_struck();
                Err(lost())
            }
            result => result,
        };
        let result = result.map_err(|error| {
            let error = error.with_operation(self.operation);
            match error.effect() {
                Effect::NotApplied if self.wrote() => error.with_effect(Effect::Partial),
                _ => error,
            }
        });
        let entry = self.entry(None, "", Outcome::of(&result), &self.strikes);
        self.client.log().push(entry);
        result
    }

    async fn strike(&self, strikes: &[Strike]) -> Result<()> {
        for Strike { fault, draw } in strikes {
            let failure = match fault {
                Fault::LostReply | Fault::WrongAnswer(_) => continue,
                Fault::Stale(_) => None,
                Fault::Delay { min, max } => {
                    if let Some(sleeper) = &self.client.sleeper {
                        sleeper.sleep(between(*min, *max, *draw)).await;
                    }
                    None
                }
                Fault::Hang(gate) => {
                    gate.pass().await;
                    None
                }
                Fault::Yield => {
                    YieldOnce(false).await;
                    None
                }
                Fault::Throttled { retry_after } => {
                    let error = Error::new(ErrorKind::Throttled, "too many requests (injected)");
                    Some(error.with_retry(Retry::After(*retry_after)))
                }
                Fault::Unavailable => {
                    Some(Error::new(ErrorKind::Unavailable, "the backend is down (injected)"))
                }
                Fault::LostRequest => Some(lost()),
            };
            self.schedule.note_struck();
            if let Some(error) = failure {
                return Err(error);
            }
        }
        Ok(())
    }

    fn entry(
        &self,
        step: Option<u32>,
        request: &'static str,
        outcome: Outcome,
        strikes: &[Strike],
    ) -> LogEntry {
        LogEntry {
            operation: self.operation,
            call: self.call,
            step,
            request,
            subject: self.subject.clone(),
            outcome,
            faults: strikes.iter().map(|strike| strike.fault.as_str()).collect(),
        }
    }
}

fn stale(strikes: &[Strike]) -> Option<Lag> {
    strikes.iter().find_map(|strike| match strike.fault {
        Fault::Stale(lag) => Some(lag),
        _ => None,
    })
}

fn loses_reply(strikes: &[Strike]) -> bool {
    strikes.iter().any(|strike| matches!(strike.fault, Fault::LostReply))
}

fn lost() -> Error {
    Error::new(ErrorKind::Timeout, "no answer came in time (injected)")
}

fn between(min: Duration, max: Duration, draw: u64) -> Duration {
    let span = max.saturating_sub(min).as_nanos();
    let part = u64::try_from(u128::from(draw) % (span + 1)).unwrap_or(u64::MAX);
    min + Duration::from_nanos(part)
}

/// Pending once, so that other tasks get a turn.
struct YieldOnce(bool);

impl Future for YieldOnce {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

impl<W: fmt::Debug> fmt::Debug for Failure<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "Refused({refusal:?})"),
            Self::Failed(error) => write!(f, "Failed({error:?})"),
        }
    }
}
