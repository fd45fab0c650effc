/// A time of day as text: RFC 3339, UTC, milliseconds.
package enum Timestamp {
  /// `seconds` since 1970-01-01 UTC; outside the years 0 to 9999 it is held at the border.
  package static func text(seconds: Int64, nanoseconds: Int64 = 0) -> String {
    let seconds = min(max(seconds, -62_167_219_200), 253_402_300_799)
    let (days, rest) = floorDivision(seconds, by: 86_400)
    let (year, month, day) = civil(days)
    let milliseconds = min(max(nanoseconds, 0), 999_999_999) / 1_000_000
    let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
    let time = "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
    return "\(date)T\(time).\(padded(milliseconds, 3))Z"
  }

  /// The Gregorian date of a day counted from 1970-01-01: eras of 400 years, years that begin in March.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let (era, dayOfEra) = floorDivision(days + 719_468, by: 146_097)
    let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let marchMonth = (5 * dayOfYear + 2) / 153
    let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
    let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
    return (era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day)
  }

  private static func floorDivision(_ value: Int64, by divisor: Int64) -> (quotient: Int64, remainder: Int64) {
    let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
    return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
  }

  private static func padded(_ value: Int64, _ width: Int) -> String {
    let digits = String(value)
    return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
  }
}
