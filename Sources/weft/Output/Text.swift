/// Words for people.
enum Text {
  /// Names come from other hosts and from guests: what would steer a terminal is shown as `?`.
  static func plain(_ text: String) -> String {
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned:
        result.append("?")
      default: result.append(scalar)
      }
    }
    return String(result)
  }

  /// `1 host`, `3 hosts`.
  static func count(_ number: some BinaryInteger, _ word: String) -> String {
    "\(number) \(word)\(number == 1 ? "" : "s")"
  }

  /// Milliseconds as seconds, to a hundredth: `0.04 s`. Below that `0.004 s`.
  static func seconds(_ milliseconds: Int) -> String {
    let (unit, width) = milliseconds < 10 ? (1, 3) : (10, 2)
    let scale = 1000 / unit
    let rounded = (milliseconds + unit / 2) / unit
    let fraction = String(rounded % scale)
    return "\(rounded / scale).\(String(repeating: "0", count: width - fraction.count))\(fraction) s"
  }

  static func list(_ words: [String]) -> String { words.isEmpty ? "-" : words.joined(separator: ", ") }
}
