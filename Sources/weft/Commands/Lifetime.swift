import ArgumentParser

/// How long something lasts: `90s`, `30m`, `1h`, `2h30m`, `1d`, or a number of seconds.
struct Lifetime: ExpressibleByArgument, Equatable {
  let seconds: Int

  init?(argument: String) {
    if let seconds = Int(argument), seconds > 0, argument.utf8.first != UInt8(ascii: "+") {
      self.seconds = seconds
      return
    }
    var total = 0
    var digits = ""
    var largest = Int.max
    for character in argument {
      if character.isASCII, character.isNumber {
        digits.append(character)
        continue
      }
      guard let unit = Self.units[character], unit < largest, let number = Int(digits) else { return nil }
      let (product, tooLarge) = number.multipliedReportingOverflow(by: unit)
      let (sum, overflow) = total.addingReportingOverflow(product)
      guard !tooLarge, !overflow else { return nil }
      (total, largest, digits) = (sum, unit, "")
    }
    guard digits.isEmpty, total > 0 else { return nil }
    seconds = total
  }

  private static let units: [Character: Int] = ["d": 86_400, "h": 3600, "m": 60, "s": 1]
}
