import Namespaces
import Testing
import Wire

@testable import Kernel

/// What the kernel says is read with the same care as what strangers say.
@Suite struct ParsingTests {
  @Test func aListThatBrokeOffIsNotTakenForWhole() {
    func code(_ bytes: [UInt8]) -> Int32? { bytes.withUnsafeBytes { NetlinkSocket.endOfList($0)?.code } }
    #expect(code([]) == nil && code([0xff, 0xff]) == nil && code([0, 0, 0, 0]) == nil && code([7, 0, 0, 0]) == nil)
    #expect(code([0xf4, 0xff, 0xff, 0xff]) == 12 && code([0xf4, 0xff, 0xff, 0xff, 0, 0, 0, 0]) == 12)
    #expect(code([0, 0, 0, 0x80]) == .min)
  }

  @Test func noCutAndNoMutationOfAMessageTraps() throws {
    var samples: [[UInt8]] = []
    try Namespace().run {
      let kernel = try KernelNetwork()
      try kernel.ensureBridge(Specs.bridge())
      let tunnel = try kernel.ensureVXLAN(try Specs.vxlan("192.0.2.1")).index
      // Where the kernel has GRE.
      _ = try? sh("ip link add g4 type gretap local 192.0.2.1 remote 192.0.2.2 key 7")
      _ = try? sh("ip link add g6 type ip6gretap local 2001:db8::1 remote 2001:db8::2 key 7")
      try kernel.replaceRemote(.test(5), tunnel: tunnel, .v4(0xc000_0209))
      for (type, family) in [(18, UInt8(0)), (30, 7), (22, 0)] {
        let request =
          type == 18
          ? NetlinkMessage(type: type, flags: 0x300, (UInt32(0), UInt32(0), UInt32(0), UInt32(0)))
          : NetlinkMessage(type: type, flags: 0x300, (UInt32(family), UInt32(0), UInt32(0)))
        samples += try kernel.socket.dump(request, "samples") { _, payload in Array(payload) }
      }
    }
    #expect(samples.count > 5)
    var generator = SeededGenerator(seed: 9)
    for round in 0..<20_000 {
      var bytes = samples[round % samples.count]
      if round % 2 == 0 {
        bytes.removeLast(Int(generator.next() % UInt64(bytes.count + 1)))
      } else {
        for _ in 0..<4 {
          bytes[Int(generator.next() % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: generator.next())
        }
      }
      bytes.withUnsafeBytes { payload in
        _ = Link(payload)
        _ = FDBEntry(payload)
        _ = InterfaceAddress(payload)
        NetlinkSocket.forEachMessage(payload) { _, _ in }
      }
    }
  }
}
