//! How verbs print: text for people, JSON for programs, and nothing at all into a pipe that nobody reads any more.

use inkdex::domain::clock::Timestamp;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Prints a line on standard output.
///
/// # Errors
/// Standard output is closed or full.
pub fn line(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Prints a value as one line of JSON.
///
/// # Errors
/// As [`line`].
pub fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string(value)?)
}

/// Whether an error only says that the reader of our output has gone, as `head` does.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe))
}

/// Rows in columns as wide as their widest cell; the last column is not padded.
pub fn columns(rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = (0..rows.iter().map(Vec::len).max().unwrap_or(0))
        .map(|at| rows.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut text = String::new();
        for (at, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if at + 1 < row.len() {
                let pad = widths[at].saturating_sub(cell.chars().count()) + 2;
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        lines.push(text.trim_end().to_owned());
    }
    lines.join("\n")
}

/// Rows in columns, one line each: on a terminal the last column is cut where the line would wrap.
pub fn list(rows: &[Vec<String>]) -> String {
    let out = std::io::stdout();
    let width = if out.is_terminal() { rustix::termios::tcgetwinsize(&out).ok() } else { None };
    fitted(rows, width.map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0))
}

fn fitted(rows: &[Vec<String>], width: Option<usize>) -> String {
    let text = columns(rows);
    match width {
        None => text,
        Some(width) => text.lines().map(|line| short(line, width)).collect::<Vec<_>>().join("\n"),
    }
}

/// The first characters of a text, with an ellipsis if there is more.
pub fn short(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let kept: String = text.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// How long ago something was, in the largest unit that fits.
pub fn age(then: Timestamp, now: Timestamp) -> String {
    format!("{} ago", span(now.since(then)))
}

/// A duration in the largest unit that fits.
pub fn span(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{} ms", duration.as_millis()),
        1..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// How long something took: short times to the tenth of a second.
pub fn took(duration: Duration) -> String {
    if duration < Duration::from_secs(60) { format!("{:.1} s", duration.as_secs_f64()) } else { span(duration) }
}

/// A moment to the second, in UTC.
pub fn moment(at: Timestamp) -> String {
    let text = at.rfc3339();
    match text.split_once('.') {
        Some((seconds, _)) => format!("{}Z", seconds.replace('T', " ")),
        None => text.replace('T', " "),
    }
}

/// How a line of a check-up begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// In order.
    Good,
    /// Works, but look.
    Note,
    /// Out of order.
    Bad,
}

/// The mark as printed, in colour on a terminal.
pub fn mark(mark: Mark) -> String {
    let (sign, colour) = match mark {
        Mark::Good => ("✓", "32"),
        Mark::Note => ("·", "33"),
        Mark::Bad => ("✗", "31"),
    };
    let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    if coloured { format!("\u{1b}[{colour}m{sign}\u{1b}[0m") } else { sign.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_whatever_the_letters() {
        let rows = [vec!["Ána".to_owned(), "x".to_owned()], vec!["b".to_owned(), "long".to_owned()]];
        assert_eq!(columns(&rows), "Ána  x\nb    long");
        assert_eq!(columns(&[]), "");
        assert_eq!(fitted(&rows, Some(7)), "Ána  x\nb    l…");
        assert_eq!(fitted(&rows, None), columns(&rows));
    }

    #[test]
    fn spans_are_told_in_one_unit() {
        let told: Vec<String> = [0, 5, 119, 120, 7_200, 200_000].iter().map(|seconds| span(Duration::from_secs(*seconds))).collect();
        assert_eq!(told, ["0 ms", "5 s", "119 s", "2 min", "2 h", "2 days"]);
        assert_eq!(short("abcdef", 4), "abc…");
        assert_eq!(moment(Timestamp(1_500_000)), "1970-01-01 00:00:01Z");
    }
}
