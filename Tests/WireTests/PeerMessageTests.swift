import Testing

@testable import Wire

@Suite struct PeerMessageTests {
  static let request = JoinRequest(
    tokenID: [UInt8](repeating: 1, count: 16), secret: [UInt8](repeating: 2, count: 32), name: "höst-1",
    identityKey: [4] + [UInt8](repeating: 3, count: 64), release: "0.1.0")
  static let authority = Authority(
    generation: .max, privateKey: [UInt8](repeating: 9, count: 32), certificates: [[1, 2, 3], [4]])
  static let answer = JoinAnswer(
    certificate: [7, 7], authority: authority, poolName: "lab", poolID: [UInt8](repeating: 5, count: 16),
    poolRecords: [[1], [2, 3], [1]],
    seeds: [
      Endpoint(address: .v4(0xc000_0201), port: 7677),
      Endpoint(address: .v6(high: 0x2001_0db8_0000_0000, low: 1), port: 1),
    ])
  static let all: [PeerMessage] = [
    .join(request), .forwardJoin(request), .joined(answer), .sync([]), .sync([1, 2]), .syncAnswer([3]),
    .fetchAuthority(certificateHash: [UInt8](repeating: 8, count: 32)), .authority(authority), .ping, .pong,
    .rekey, .rekeyed(epoch: 7),
    .refused(Refusal(.tokenUsed, "This token was used: ask for another one with `weft pool invite`.")),
    .refused(Refusal(.init(rawValue: 999), "")),
  ]

  @Test(arguments: all) func everyMessageComesBackAsItWas(message: PeerMessage) throws {
    #expect(try PeerMessage.decode(message.encoded()) == message)
  }

  @Test(arguments: all) func aMessageCutShortIsRefusedOrAnotherWholeOne(message: PeerMessage) throws {
    let bytes = try message.encoded()
    for count in 0..<bytes.count {
      do {
        // A cut between two fields leaves a message without the later ones.
        let other = try PeerMessage.decode(Array(bytes[..<count]))
        #expect(try other != message && PeerMessage.decode(other.encoded()) == other)
      } catch let error as PeerMessageError {
        guard case .malformed = error else {
          Issue.record("\(error)")
          return
        }
      }
    }
  }

  @Test func noMutationOfBytesTrapsAndWhatIsAcceptedCanBeSentAgain() throws {
    var random = SeededGenerator(seed: 42)
    var accepted = 0
    for round in 0..<40_000 {
      var bytes = try Self.all[round % Self.all.count].encoded()
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0 where !bytes.isEmpty:
          bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
        case 1 where !bytes.isEmpty: bytes.remove(at: Int.random(in: 0..<bytes.count, using: &random))
        case 2:
          bytes.insert(UInt8.random(in: 0...255, using: &random), at: Int.random(in: 0...bytes.count, using: &random))
        default: bytes.removeLast(Int.random(in: 0...bytes.count, using: &random) / 4)
        }
      }
      guard let message = try? PeerMessage.decode(bytes) else { continue }
      accepted += 1
      #expect(try PeerMessage.decode(message.encoded()) == message)
    }
    #expect(accepted > 1000)
  }

  @Test func aFieldOfANewerReleaseIsPassedOver() throws {
    var bytes = try PeerMessage.join(Self.request).encoded()
    bytes += [0x7f, 0xff, 0, 0, 0, 2, 1, 2]
    #expect(try PeerMessage.decode(bytes) == .join(Self.request))
  }

  @Test func aKindOrAVersionOfANewerReleaseIsNamed() throws {
    #expect(throws: PeerMessageError.unknown(kind: 500)) { try PeerMessage.decode([1, 1, 0xf4]) }
    #expect(throws: PeerMessageError.format(2)) { try PeerMessage.decode([2, 0, 9, 1]) }
    #expect("\(PeerMessageError.format(2))".hasSuffix("upgrade the older of the two."))
    #expect("\(PeerMessageError.unknown(kind: 500))".contains("(500)"))
  }

  @Test func valuesOfAWrongSizeAreRefusedOnBothSides() throws {
    var request = Self.request
    request.secret.removeLast()
    #expect(throws: PeerMessageError.malformed(.invalid("token secret"))) { try PeerMessage.join(request).encoded() }
    request = Self.request
    request.name = ""
    #expect(throws: PeerMessageError.malformed(.invalid("host name"))) { try PeerMessage.join(request).encoded() }
    request.name = String(repeating: "a", count: 300)
    #expect(throws: PeerMessageError.malformed(.invalid("host name"))) { try PeerMessage.join(request).encoded() }
    var authority = Self.authority
    authority.certificates = []
    #expect(throws: PeerMessageError.malformed(.invalid("CA certificates"))) {
      try PeerMessage.authority(authority).encoded()
    }
    // 31 bytes where 32 belong, made by hand.
    let short: [UInt8] = [1, 0, 6, 0, 1, 0, 0, 0, 31] + [UInt8](repeating: 0, count: 31)
    #expect(throws: PeerMessageError.malformed(.invalid("CA hash"))) { try PeerMessage.decode(short) }
  }

  @Test func aFieldThatStandsTwiceIsRefused() throws {
    var bytes = try PeerMessage.sync([1]).encoded()
    bytes += [0, 1, 0, 0, 0, 1, 2]
    #expect(throws: PeerMessageError.malformed(.invalid("sync request"))) { try PeerMessage.decode(bytes) }
  }

  @Test func textThatIsNotUTF8IsRefused() throws {
    let bytes: [UInt8] = [1, 0, 11, 0, 1, 0, 0, 0, 2, 0, 1, 0, 2, 0, 0, 0, 1, 0xff]
    #expect(throws: PeerMessageError.malformed(.invalid("refusal"))) { try PeerMessage.decode(bytes) }
  }

  @Test func aMessageBeyondSixteenMebibytesIsNeitherMadeNorRead() {
    let bytes = [UInt8](repeating: 0, count: PeerMessage.maximumSize)
    #expect(throws: PeerMessageError.tooLong) { try PeerMessage.sync(bytes).encoded() }
    #expect(throws: PeerMessageError.tooLong) { try PeerMessage.decode([1] + bytes) }
  }

  @Test func aLengthOfFourGigabytesCostsNothing() {
    let bytes: [UInt8] = [1, 0, 4, 0, 1, 0xff, 0xff, 0xff, 0xff]
    #expect(throws: PeerMessageError.malformed(.truncated("field"))) { try PeerMessage.decode(bytes) }
  }

  @Test func aLongSentenceIsCutBetweenCharacters() throws {
    let refusal = Refusal(.busy, String(repeating: "ü", count: 2000))
    #expect(refusal.sentence == String(repeating: "ü", count: 512))
    #expect(try PeerMessage.decode(PeerMessage.refused(refusal).encoded()) == .refused(refusal))
  }
}
