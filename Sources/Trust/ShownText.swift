/// Text of another host, made fit to be shown in a log or on a terminal.
package enum ShownText {
  /// At most `limit` bytes of `bytes` as UTF-8, on one line, without anything that moves a cursor or turns the direction.
  package static func line(_ bytes: some Sequence<UInt8>, limit: Int) -> String {
    let text = String(decoding: Array(bytes.prefix(limit)), as: UTF8.self)
    return String(String.UnicodeScalarView(text.unicodeScalars.map { isShown($0) ? $0 : " " }))
  }

  private static func isShown(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator: false
    default: true
    }
  }
}
