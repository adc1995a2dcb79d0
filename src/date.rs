//! [`Date`]: a day of the Gregorian calendar.

use std::fmt;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

/// A day, without a time zone; "today" is that of UTC. Ordered from earlier to later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    /// Year, from 0 to 9999.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day of the month, from 1.
    pub day: u8,
}

impl Date {
    /// The last day there is.
    pub const MAX: Self = Self {
        year: 9999,
        month: 12,
        day: 31,
    };

    /// Today, by this machine's clock.
    #[must_use]
    pub fn today() -> Self {
        Self::in_days(0)
    }

    /// The day that comes `days` after today.
    #[must_use]
    pub fn in_days(days: u64) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::from_days(now.map_or(0, |time| time.as_secs() / 86_400) + days)
    }

    /// The day that comes `days` after 1970-01-01: counted in eras of 400 years that begin on
    /// 1 March, so that a leap day is the last day of its year.
    #[must_use]
    pub fn from_days(days: u64) -> Self {
        let days = days + 719_468;
        let (era, day) = (days / 146_097, days % 146_097);
        let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
        let day = day - (365 * year + year / 4 - year / 100);
        let month = (5 * day + 2) / 153;
        let day = day - (153 * month + 2) / 5 + 1;
        let (month, carry) = match month {
            0..10 => (month + 3, 0),
            _ => (month - 9, 1),
        };
        let small = |number: u64| u8::try_from(number).unwrap_or(u8::MAX);
        Self {
            year: u16::try_from(era * 400 + year + carry).unwrap_or(9999),
            month: small(month),
            day: small(day),
        }
    }

    /// Days from 1970-01-01 to this one; none for one before it.
    #[must_use]
    pub fn days(&self) -> Option<u64> {
        // The inverse of `from_days`: the year begins on 1 March.
        let (year, month) = match self.month {
            1 | 2 => (u64::from(self.year).checked_sub(1)?, self.month + 9),
            month => (u64::from(self.year), month - 3),
        };
        let day = (153 * u64::from(month) + 2) / 5 + u64::from(self.day) - 1;
        let days = year * 365 + year / 4 - year / 100 + year / 400 + day;
        days.checked_sub(719_468)
    }

    fn days_in_month(year: u16, month: u8) -> u8 {
        let leap =
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
        match month {
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 31,
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "{:04}-{:02}-{:02}",
            self.year, self.month, self.day
        )
    }
}

impl FromStr for Date {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a day written YYYY-MM-DD");
        let digits = |range| {
            let digits: Option<&str> = text.get(range);
            digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))
        };
        let number = |range| digits(range).and_then(|digits: &str| digits.parse::<u16>().ok());
        let dashes = text.len() == 10
            && text.as_bytes().get(4) == Some(&b'-')
            && text.as_bytes().get(7) == Some(&b'-');
        let (Some(year), Some(month), Some(day)) = (number(0..4), number(5..7), number(8..10))
        else {
            return Err(wrong());
        };
        let (month, day) = (month.min(255) as u8, day.min(255) as u8);
        let exists =
            (1..=12).contains(&month) && day >= 1 && day <= Self::days_in_month(year, month);
        (dashes && exists)
            .then_some(Self { year, month, day })
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_and_read() {
        assert_eq!(Date::from_days(0).to_string(), "1970-01-01");
        assert_eq!(Date::from_days(11_016).to_string(), "2000-02-29");
        for days in (0..80_000).step_by(17) {
            let date = Date::from_days(days);
            assert_eq!(date.to_string().parse(), Ok(date));
            assert_eq!(date.days(), Some(days));
            assert!(date < Date::from_days(days + 1));
        }
    }

    #[test]
    fn what_is_no_day_is_refused() {
        for wrong in [
            "",
            "2026",
            "2026-13-01",
            "2026-02-29",
            "2026-00-10",
            "2026-1-01",
            "26-01-01",
            "2026/01/01",
            "2026-01-01T",
            "+026-01-01",
            "2100-02-29",
            "2026-01-é",
        ] {
            assert!(wrong.parse::<Date>().is_err(), "{wrong}");
        }
        assert!("2028-02-29".parse::<Date>().is_ok());
    }
}
