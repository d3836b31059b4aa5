//! Schedules: five-field cron in UTC, and the six-field form of AWS EventBridge, `cron(min hour dom month dow year)`.

use crate::domain::clock::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use std::fmt;
use std::time::Duration;

/// A parsed schedule, always in UTC.
#[derive(Clone)]
pub struct Schedule {
    text: String,
    cron: Cron,
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({})", self.text)
    }
}

/// Why a schedule cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// Wrong number of fields.
    #[error("`{text}` has {found} fields; write five (`0 2 * * *`) or AWS's six in `cron(0 2 * * ? *)`")]
    Fields {
        /// What was written.
        text: String,
        /// How many fields it has.
        found: usize,
    },
    /// AWS requires exactly one `?`.
    #[error("`{text}`: exactly one of day-of-month and day-of-week must be `?` in the six-field form")]
    Question {
        /// What was written.
        text: String,
    },
    /// A field is out of its range.
    #[error("`{text}` is no schedule: {why}")]
    Field {
        /// What was written.
        text: String,
        /// What the parser says.
        why: String,
    },
}

impl Schedule {
    /// Reads `0 2 * * *` or `cron(0 2 * * ? *)`.
    ///
    /// # Errors
    /// [`ScheduleError`] says what is wrong and what to write.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let trimmed = text.trim();
        let inner = trimmed.strip_prefix("cron(").and_then(|rest| rest.strip_suffix(')'));
        let fields: Vec<&str> = inner.unwrap_or(trimmed).split_whitespace().collect();
        let pattern = match (inner, fields.as_slice()) {
            (Some(_), [minute, hour, dom, month, dow, year]) => {
                if (*dom == "?") == (*dow == "?") {
                    return Err(ScheduleError::Question { text: trimmed.to_owned() });
                }
                let dow = aws_days_of_week(dow).ok_or_else(|| ScheduleError::Field {
                    text: trimmed.to_owned(),
                    why: format!("`{dow}` is no day of the week; AWS counts 1-7 = SUN-SAT"),
                })?;
                let dom = if *dom == "?" { "*" } else { dom };
                format!("0 {minute} {hour} {dom} {month} {dow} {year}")
            }
            (None, [_, _, _, _, _]) => format!("0 {} *", fields.join(" ")),
            _ => {
                return Err(ScheduleError::Fields { text: trimmed.to_owned(), found: fields.len() });
            }
        };
        let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
        let cron = parser.parse(&pattern).map_err(|error| ScheduleError::Field { text: trimmed.to_owned(), why: error.to_string() })?;
        Ok(Self { text: trimmed.to_owned(), cron })
    }

    /// The first moment after `after`, or `None` if there is none in the representable future.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = jiff::Timestamp::from_microsecond(after.0).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(Timestamp(next.timestamp().as_microsecond()))
    }

    /// The newest moment in `(after, until]`: what was missed while the daemon was down, at most once.
    pub fn latest_between(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        // A year of minutely moments would be half a million steps: a missed run is caught up only if recent.
        let after = after.max(until.minus(Duration::from_secs(8 * 24 * 3600)));
        let mut latest = None;
        let mut at = after;
        while let Some(next) = self.next_after(at).filter(|next| *next <= until) {
            latest = Some(next);
            at = next;
        }
        latest
    }
}

/// Days of the week from AWS's 1-7 = SUN-SAT to cron's 0-6; names pass, `?` becomes `*`.
fn aws_days_of_week(field: &str) -> Option<String> {
    if field == "?" {
        return Some("*".to_owned());
    }
    let mut out = String::new();
    let mut digits = String::new();
    // The digits after `#` (the n-th such day) and `/` (a step) count something else.
    let mut counts = false;
    let flush = |digits: &mut String, counts: bool, out: &mut String| -> Option<()> {
        if digits.is_empty() {
            return Some(());
        }
        let number: u32 = digits.parse().ok()?;
        if counts {
            out.push_str(digits);
        } else {
            out.push_str(&number.checked_sub(1).filter(|day| *day <= 6)?.to_string());
        }
        digits.clear();
        Some(())
    };
    for c in field.chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        flush(&mut digits, counts, &mut out)?;
        counts = matches!(c, '#' | '/');
        out.push(c);
    }
    flush(&mut digits, counts, &mut out)?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
    }
    fn next(schedule: &str, after: &str) -> String {
        Schedule::parse(schedule).unwrap().next_after(at(after)).unwrap().rfc3339()
    }

    /// 002-R1: daily at 02:00 UTC, in the form asked for.
    #[test]
    fn aws_form_fires_daily_at_two() {
        assert_eq!(next("cron(0 2 * * ? *)", "2026-11-22T01:59:59Z"), "2026-11-22T02:00:00Z");
        assert_eq!(next("cron(0 2 * * ? *)", "2026-11-22T02:00:00Z"), "2026-11-23T02:00:00Z");
        assert_eq!(next("0 2 * * *", "2026-11-22T02:00:00Z"), "2026-11-23T02:00:00Z");
    }

    #[test]
    fn aws_days_count_from_sunday_as_one() {
        // 2026-11-22 is a Sunday.
        assert_eq!(next("cron(0 2 ? * 2-6 *)", "2026-11-22T03:00:00Z"), "2026-11-23T02:00:00Z");
        assert_eq!(next("cron(0 2 ? * 1 *)", "2026-11-22T03:00:00Z"), "2026-11-29T02:00:00Z");
        assert_eq!(next("cron(0 2 ? * MON-FRI *)", "2026-11-27T03:00:00Z"), "2026-11-30T02:00:00Z");
        assert_eq!(next("cron(0 2 ? * 2#1 *)", "2026-11-22T03:00:00Z"), "2026-12-07T02:00:00Z");
    }

    #[test]
    fn wrong_schedules_say_what_to_write() {
        assert!(matches!(Schedule::parse("0 2 * *"), Err(ScheduleError::Fields { found: 4, .. })));
        assert!(matches!(Schedule::parse("cron(0 2 * * * *)"), Err(ScheduleError::Question { .. })));
        assert!(matches!(Schedule::parse("cron(0 2 ? * 8 *)"), Err(ScheduleError::Field { .. })));
        assert!(matches!(Schedule::parse("99 2 * * *"), Err(ScheduleError::Field { .. })));
    }

    #[test]
    fn many_missed_nights_are_caught_up_once() {
        let schedule = Schedule::parse("0 2 * * *").unwrap();
        let latest = schedule.latest_between(at("2026-11-18T02:00:00Z"), at("2026-11-22T01:00:00Z"));
        assert_eq!(latest, Some(at("2026-11-21T02:00:00Z")));
        assert_eq!(schedule.latest_between(at("2026-11-22T02:00:00Z"), at("2026-11-22T20:00:00Z")), None);
    }

    proptest! {
        #[test]
        fn the_next_moment_is_later_and_on_schedule(minute in 0u32..60, hour in 0u32..24, after_s in 1_700_000_000i64..1_900_000_000) {
            let schedule = Schedule::parse(&format!("cron({minute} {hour} * * ? *)")).unwrap();
            let after = Timestamp(after_s * 1_000_000);
            let next = schedule.next_after(after).unwrap();
            prop_assert!(next > after);
            prop_assert!(next.since(after) <= Duration::from_secs(24 * 3600));
            prop_assert_eq!((next.0 / 1_000_000) % 86_400, i64::from(hour * 3600 + minute * 60));
        }
    }
}
