import CLinux
import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite struct ESPInUDPSocketTests {
  private static let addresses = ["192.0.2.1", "2001:db8::1"]

  private func withAddresses(_ body: () throws -> Void) throws {
    try Namespace().run {
      for address in Self.addresses + ["192.0.2.2"] {
        try sh("ip addr add \(address) dev lo \(address.contains(":") ? "nodad" : "")")
        // The kernel loses what goes to an IPv6 address in its first moment.
        try #require(eventually { (try? sh("ping -c 1 -W 0.1 \(address)")) != nil })
      }
      try body()
    }
  }

  private func open(_ address: IPAddress) throws -> Int32 {
    let kind = Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    let descriptor = socket(address.isV6 ? AF_INET6 : AF_INET, kind, 0)
    try #require(descriptor >= 0)
    return descriptor
  }

  private func send(_ bytes: [UInt8], to address: IPAddress) throws {
    let descriptor = try open(address)
    defer { close(descriptor) }
    var datagram = weft_datagram()
    datagram.length = UInt32(bytes.count)
    datagram.port = ESPInUDPSocket.port
    datagram.address_length = UInt8(address.bytes.count)
    withUnsafeMutableBytes(of: &datagram.address) { $0.copyBytes(from: address.bytes) }
    #expect(weft_send_batch(descriptor, bytes, &datagram, 1) == 1)
  }

  @Test(arguments: addresses)
  func whatIsNoESPIsThrownAwayAndESPIsNotSeen(text: String) throws {
    try withAddresses {
      let address = try IPAddress.test(text)
      let socket = try ESPInUDPSocket(local: address)
      #expect(socket.drain() == 0)
      // An SPI that nobody has, a keepalive (RFC 3948 section 2.3), and behind the marker a message of IKE's.
      try send([UInt8](repeating: 7, count: 64), to: address)
      try send([0xff], to: address)
      #expect(socket.drain() == 0)
      for _ in 0..<3 { try send([0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8], to: address) }
      var waiting = pollfd(fd: socket.descriptor, events: Int16(POLLIN), revents: 0)
      #expect(poll(&waiting, 1, 5000) == 1)
      #expect(socket.drain() == 3)
      #expect(socket.drain() == 0)
    }
  }

  @Test func aFloodOfWhatIsNoESPIsBoundedAndDrained() throws {
    try withAddresses {
      let address = try IPAddress.test("192.0.2.1")
      let socket = try ESPInUDPSocket(local: address)
      for _ in 0..<1000 { try send([UInt8](repeating: 0, count: 1000), to: address) }
      var count = 0
      while case let drained = socket.drain(), drained > 0 { count += drained }
      #expect((1..<100).contains(count), "what waits takes little memory")
    }
  }

  @Test(arguments: addresses, [true, false])
  func whoHasThePortIsSaid(text: String, isWide: Bool) throws {
    try withAddresses {
      let address = try IPAddress.test(text)
      let holder = try open(address)
      defer { close(holder) }
      let bytes = isWide ? [UInt8](repeating: 0, count: address.bytes.count) : address.bytes
      #expect(weft_bind_inet(holder, bytes, UInt8(bytes.count), ESPInUDPSocket.port) == 0)
      let error = #expect(throws: KernelError.self) { _ = try ESPInUDPSocket(local: address) }
      #expect(error?.code == EADDRINUSE)
      let sentence = error?.description ?? ""
      #expect(sentence.contains("(process \(getpid())) has"), "\(sentence)")
      #expect(sentence.contains("7678"))
    }
  }

  @Test func anotherAddressIsTakenBeforeTheFirstIsLeft() throws {
    try withAddresses {
      var socket = try ESPInUDPSocket(local: try .test("192.0.2.1"))
      for text in ["192.0.2.2", "2001:db8::1"] { socket = try ESPInUDPSocket(local: try .test(text)) }
      #expect(socket.local == (try .test("2001:db8::1")))
      // The one that was dropped is free, once no program that is being started beside this test has it any more.
      #expect(eventually { (try? ESPInUDPSocket(local: try .test("192.0.2.1"))) != nil })
      let error = #expect(throws: KernelError.self) { _ = try ESPInUDPSocket(local: try .test("192.0.2.9")) }
      #expect(error?.code == EADDRNOTAVAIL)
    }
  }
}
