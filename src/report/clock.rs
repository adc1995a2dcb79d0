//! Points in time as text, in UTC.

use crate::date::Date;

/// Seconds since 1970 as `2026-11-23T19:40:05Z` (RFC 3339).
pub(super) fn rfc3339(seconds: u64) -> String {
    let date = Date::from_days(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// Seconds since 1970 as `2026-11-23 19:40 UTC`.
pub(super) fn for_people(seconds: u64) -> String {
    let date = Date::from_days(seconds / 86_400);
    let (hour, minute) = (seconds / 3600 % 24, seconds / 60 % 60);
    format!("{date} {hour:02}:{minute:02} UTC")
}

/// Seconds since 1970 of what [`rfc3339`] writes.
pub(super) fn parse(text: &str) -> Option<u64> {
    let digits = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        plain.then(|| digits.parse::<u64>().ok())?
    };
    let (year, month, day) = (digits(0..4)?, digits(5..7)?, digits(8..10)?);
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    if hour > 23 || minute > 59 || second > 59 || year < 1970 {
        return None;
    }
    // Years that begin on 1 March, as in `Date::from_days`.
    let year = if month < 3 { year - 1 } else { year };
    let from_march = (month + 9) % 12;
    let days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day;
    let seconds = days.checked_sub(719_469)? * 86_400 + hour * 3600 + minute * 60 + second;
    (rfc3339(seconds) == text).then_some(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(951_782_401), "2000-02-29T00:00:01Z");
        assert_eq!(rfc3339(951_868_799), "2000-02-29T23:59:59Z");
        assert_eq!(rfc3339(4_107_542_400), "2100-03-01T00:00:00Z");
        for seconds in (0..4_107_542_400).step_by(40_000_001) {
            assert_eq!(parse(&rfc3339(seconds)), Some(seconds));
        }
        for wrong in [
            "",
            "2026-11-31T00:00:00Z",
            "2026-11-23T19:40:05",
            "1969-12-31T23:59:59Z",
            "+026-11-23T19:40:05Z",
            "é026-11-23T19:40:05Z",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
        assert_eq!(for_people(1_795_462_805), "2026-11-23 19:40 UTC");
    }
}
