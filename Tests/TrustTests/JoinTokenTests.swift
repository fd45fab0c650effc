import Testing
import Wire

@testable import Trust

@Suite struct JoinTokenTests {
  private static let endpoints = [
    Endpoint(address: .v4(0xc000_0201), port: 7677), Endpoint(address: .v4(0xc633_6402), port: 1),
    Endpoint(address: .v6(high: 0x2001_0db8_0000_0000, low: 7), port: 65535),
  ]

  private func token(_ endpoints: [Endpoint] = Self.endpoints) throws -> JoinToken {
    try #require(
      JoinToken(
        endpoints: endpoints, pin: Fingerprint(of: [1]), id: Array(0..<16), secret: Array(100..<132)))
  }

  @Test func `A token is read as it was written`() throws {
    for count in 1...3 {
      let token = try token(Array(Self.endpoints.prefix(count)))
      #expect(try JoinToken(text: token.text) == token)
      #expect(try JoinToken(text: "  \(token.text)\n") == token)
    }
  }

  @Test func `A token is one line that no shell takes apart`() throws {
    let text = try token().text
    #expect(text.hasPrefix("weft1."))
    #expect(text.utf8.count < 210)
    #expect(
      text.utf8.allSatisfy { byte in
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
          UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "_"):
          true
        default: false
        }
      })
  }

  @Test func `A token that a terminal has wrapped is read all the same`() throws {
    let token = try token()
    let middle = token.text.index(token.text.startIndex, offsetBy: 70)
    #expect(try JoinToken(text: token.text[..<middle] + "\n  " + token.text[middle...]) == token)
  }

  @Test func `A token holds three endpoints at most and one at least`() throws {
    #expect(try token(Self.endpoints + Self.endpoints).endpoints == Self.endpoints)
    #expect(JoinToken(endpoints: [], pin: Fingerprint(of: []), id: Array(0..<16), secret: Array(0..<32)) == nil)
    #expect(
      JoinToken(endpoints: Self.endpoints, pin: Fingerprint(of: []), id: Array(0..<15), secret: Array(0..<32)) == nil)
  }

  @Test func `Every beginning of a token is said to be cut short`() throws {
    let text = try token().text
    for count in 1..<text.utf8.count {
      #expect(failure { _ = try JoinToken(text: String(text.prefix(count))) } as? JoinTokenError == .cutShort)
    }
  }

  @Test func `One wrong character anywhere behind the prefix is said to be mistyped`() throws {
    let text = try token().text
    for index in text.indices.dropFirst(9) {
      var typed = text
      typed.replaceSubrange(index...index, with: text[index] == "x" ? "y" : "x")
      // The last character may hold bits that count for nothing; then the token is the same.
      if let read = try? JoinToken(text: typed) {
        #expect(try read == token() && index == text.indices.last)
      } else {
        #expect(failure { _ = try JoinToken(text: typed) } as? JoinTokenError == .mistyped)
      }
    }
    #expect(
      failure { _ = try JoinToken(text: text.dropLast(20) + "!" + text.suffix(19)) } as? JoinTokenError == .mistyped)
  }

  @Test func `What is no token is named as such`() throws {
    let text = try token().text
    let cases: [(String, JoinTokenError)] = [
      ("", .notToken), ("hello", .notToken), ("weftX.abc", .notToken), ("weft0.abc", .notToken), (".", .notToken),
      ("weft2." + text.dropFirst(6), .newerRelease), ("weft17.AAAA", .newerRelease), (text + "AAAA", .tooLong),
      (text + text, .mistyped), (String(repeating: "a", count: 5000), .tooLong),
    ]
    for (input, expected) in cases {
      #expect(failure { _ = try JoinToken(text: input) } as? JoinTokenError == expected, "\(input.prefix(20))")
    }
  }
}
