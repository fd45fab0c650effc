import Testing
import Wire

@testable import Trust

@Suite struct EpochKeyTests {
  private static let here = EpochEnd(host: HostID(high: 1, low: 2), boot: Boot(counter: 3, nonce: 4), number: 5)
  private static let there = EpochEnd(host: HostID(high: 6, low: 7), boot: Boot(counter: 8, nonce: 9), number: 10)

  /// The public keys and the material were computed with another library (Python's `cryptography`).
  @Test func `Known keys give known material, the same at both ends`() throws {
    func raw(_ first: UInt8) -> [UInt8] { (0..<32).map { first &+ $0 } }
    let one = EpochEnd(
      host: try #require(HostID("101112131415161718191a1b1c1d1e1f")),
      boot: Boot(counter: 7, nonce: 0x0123_4567_89ab_cdef), number: 3)
    let other = EpochEnd(
      host: try #require(HostID("202122232425262728292a2b2c2d2e2f")),
      boot: Boot(counter: 9, nonce: 0xfedc_ba98_7654_3210), number: 1 << 63 + 5)
    let key = try #require(EpochKey(raw: raw(0x01)))
    let counterpart = try #require(EpochKey(raw: raw(0x81)))
    #expect(Hex.string(key.publicKey) == "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c")
    #expect(Hex.string(counterpart.publicKey) == "883186b800b41d5cf0429695da9b3cc4f328ebcd184a6e482fa578c103f06c77")
    let forth = "32bce5df8c42515c57550595c5b01411c98bdeda6528741ce6925567049faa530bf724c2"
    let back = "3e628341425b3a663886479d0c73b6e58b893cac8867e483c0c14709d8af438ae76805e6"
    for (own, peer) in [(key, counterpart), (counterpart, key)] {
      let sent = try own.material(sender: one, receiver: other, peerPublicKey: peer.publicKey)
      let received = try own.material(sender: other, receiver: one, peerPublicKey: peer.publicKey)
      #expect(Hex.string(sent) == forth)
      #expect(Hex.string(received) == back)
    }
  }

  @Test func `Each part of the name of a key changes it`() throws {
    let key = EpochKey()
    let peer = EpochKey().publicKey
    func changed(_ end: EpochEnd) -> [EpochEnd] {
      [
        EpochEnd(host: HostID(high: 0, low: end.host.low), boot: end.boot, number: end.number),
        EpochEnd(host: HostID(high: end.host.high, low: 0), boot: end.boot, number: end.number),
        EpochEnd(host: end.host, boot: Boot(counter: 0, nonce: end.boot.nonce), number: end.number),
        EpochEnd(host: end.host, boot: Boot(counter: end.boot.counter, nonce: 0), number: end.number),
        EpochEnd(host: end.host, boot: end.boot, number: 0),
      ]
    }
    var names = [(Self.here, Self.there), (Self.there, Self.here)]
    names += changed(Self.here).map { ($0, Self.there) } + changed(Self.there).map { (Self.here, $0) }
    let materials = try names.map { try key.material(sender: $0, receiver: $1, peerPublicKey: peer) }
    #expect(materials.allSatisfy { $0.count == EpochKey.materialSize })
    #expect(Set(materials).count == names.count)
    #expect(try key.material(sender: Self.here, receiver: Self.there, peerPublicKey: peer) == materials[0])
    #expect(try EpochKey().material(sender: Self.here, receiver: Self.there, peerPublicKey: peer) != materials[0])
  }

  /// Points of small order of Curve25519, and what is no public key at all.
  @Test(arguments: [
    String(repeating: "00", count: 32),
    "01" + String(repeating: "00", count: 31),
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "",
    String(repeating: "07", count: 31),
    String(repeating: "07", count: 33),
  ]) func `A public key that gives the secret away is refused`(key: String) throws {
    let bytes = try #require(Hex.bytes(key))
    #expect(throws: EpochKeyError.badPeerKey) {
      try EpochKey().material(sender: Self.here, receiver: Self.there, peerPublicKey: bytes)
    }
  }

  @Test func `Printing an epoch's key shows nothing of it`() throws {
    let key = try #require(EpochKey(raw: [UInt8](repeating: 0x77, count: 32)))
    var dumped = ""
    dump(key, to: &dumped)
    #expect("\(key)" == "an epoch's key")
    #expect(String(reflecting: key) == "an epoch's key")
    #expect(dumped == "- an epoch's key\n")
  }
}
