import Control
import FoundationEssentials

/// An answer taken apart by the test itself.
struct HTTPAnswer: Sendable {
  let status: Int
  let headers: [String: String]
  let body: String

  init(_ bytes: [UInt8]) throws {
    let text = String(decoding: bytes, as: UTF8.self)
    let parts = text.split(separator: "\r\n\r\n", maxSplits: 1, omittingEmptySubsequences: false)
    let lines = parts[0].split(separator: "\r\n")
    guard let first = lines.first, first.hasPrefix("HTTP/1."), let status = Int(first.dropFirst(9).prefix(3)) else {
      throw TestFault("not HTTP: \(text.prefix(200))")
    }
    self.status = status
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let pair = line.split(separator: ":", maxSplits: 1)
      headers[pair[0].lowercased()] = pair.count > 1 ? String(pair[1].drop { $0 == " " }) : ""
    }
    self.headers = headers
    body = parts.count > 1 ? String(parts[1]) : ""
  }

  /// The error that the answer carries.
  var error: APIError {
    get throws { try JSONDecoder().decode(APIError.self, from: Data(body.utf8)) }
  }
}
