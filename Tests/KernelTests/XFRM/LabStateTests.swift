import Glibc
import Kernel
import Namespaces
import Testing
import Wire

@Suite(KernelLab.hasESP) struct LabStateTests {
  private func state(_ spi: UInt32 = 0x1234_5678, isV6: Bool = false, isInUDP: Bool = false) throws -> XFRMState {
    let (a, b) = isV6 ? ("2001:db8::1", "2001:db8::2") : ("192.0.2.1", "192.0.2.2")
    return XFRMState(
      source: try .test(a), destination: try .test(b), spi: spi, key: (1...36).map { UInt8($0) },
      encapsulation: isInUDP ? .weft : nil)
  }

  @Test(arguments: [false, true], [false, true])
  func whatIsAddedReadsBackAsMade(isV6: Bool, isInUDP: Bool) throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let state = try state(isV6: isV6, isInUDP: isInUDP)
      try kernel.add(state)
      let found = try kernel.states()
      #expect(found.map(\.state) == [state])
      #expect(found.allSatisfy { $0.state.key == state.key && $0.use.packets == 0 && $0.use.lastUsed == nil })
      let shown = try sh("ip xfrm state")
      for part in [
        "proto esp spi 0x12345678 reqid 1464157780 mode transport", "replay-window 0 flag esn",
        "aead rfc4106(gcm(aes)) 0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324 128",
        "replay_window 4096",
      ] { #expect(shown.contains(part), "\(shown)") }
      #expect(shown.contains("encap type espinudp sport 7678 dport 7678") == isInUDP, "\(shown)")
      try kernel.remove(source: state.source, destination: state.destination, spi: state.spi)
      #expect(try kernel.states().isEmpty)
      try kernel.remove(source: state.source, destination: state.destination, spi: state.spi)
    }
  }

  @Test func anSPIThatIsTakenIsRefusedWhoeverHasIt() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let state = try state()
      try sh(
        """
        ip xfrm state add src 192.0.2.7 dst 192.0.2.2 proto esp spi 0x9999 reqid 7 mode transport \
        aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324 128
        ip xfrm state add src 192.0.2.2 dst 192.0.2.1 proto esp spi 0x8888 reqid 7 mode transport \
        aead 'rfc4106(gcm(aes))' 0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324 128
        """)
      try kernel.add(state)
      for spi in [state.spi, 0x9999] {
        let error = #expect(throws: KernelError.self) { try kernel.add(try self.state(spi)) }
        #expect(error?.code == EEXIST && error?.description.contains("ip xfrm state") == true)
      }
      // An SPI is a name at its destination only.
      try kernel.add(try self.state(0x8888))
      #expect(Set(try kernel.states().map(\.state.spi)) == [state.spi, 0x8888])
    }
  }

  @Test func theStatesOfOthersAreNeitherListedNorRemoved() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let monitor = try XFRMMonitor()
      let state = try state()
      let add = "src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678 reqid 7 mode transport"
      try sh("ip xfrm state add \(add) aead 'rfc4106(gcm(aes))' 0x\(String(repeating: "01", count: 36)) 128")
      #expect(try kernel.states().isEmpty)
      let error = #expect(throws: KernelError.self) {
        try kernel.remove(source: state.source, destination: state.destination, spi: state.spi)
      }
      #expect(error?.code == EPERM)
      #expect(try sh("ip xfrm state").contains("reqid 7"))
      try sh("ip xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678")
      #expect(try monitor.receive() == [])
    }
  }

  @Test func whatIsDoneToAnSAByHandIsSeen() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let monitor = try XFRMMonitor(ignoring: kernel)
      let state = try state()
      try kernel.add(state)
      #expect(try monitor.receive() == [])
      // The kernel lets an update change lifetimes and little else.
      try sh(
        """
        ip xfrm state update src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678 reqid 1464157780 mode transport \
        flag esn replay-window 4096 aead 'rfc4106(gcm(aes))' \
        0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324 128 limit byte-hard 1000000
        """)
      let name = (state.source, state.destination, state.spi)
      #expect(try monitor.receive() == [.stateChanged(source: name.0, destination: name.1, spi: name.2)])
      #expect(try kernel.states().map(\.state.isAsMade) == [false])
      try sh("ip xfrm state delete src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678")
      #expect(try monitor.receive() == [.stateGone(source: name.0, destination: name.1, spi: name.2)])
      #expect(try kernel.states().isEmpty)
    }
  }

  @Test(arguments: [
    "flag esn replay-window 32 aead 'rfc4106(gcm(aes))' KEY 128",
    "replay-window 32 aead 'rfc4106(gcm(aes))' KEY 128",
    "flag esn replay-window 4096 aead 'rfc4106(gcm(aes))' KEY 96",
    "flag esn replay-window 4096 sel src 192.0.2.1/32 aead 'rfc4106(gcm(aes))' KEY 128",
    "flag esn replay-window 4096 mark 1 aead 'rfc4106(gcm(aes))' KEY 128",
    "flag esn replay-window 4096 aead 'rfc4106(gcm(aes))' KEY 128 encap espinudp 4500 7678 0.0.0.0",
    "flag esn replay-window 4096 aead 'rfc4106(gcm(aes))' KEY 128 encap espinudp 7678 4500 0.0.0.0",
    "flag esn replay-window 4096 aead 'rfc4106(gcm(aes))' KEY 128 encap espinudp 7678 7678 192.0.2.9",
    "flag esn replay-window 4096 enc 'cbc(aes)' 0x0102030405060708090a0b0c0d0e0f10 "
      + "auth 'hmac(sha1)' 0x0102030405060708090a0b0c0d0e0f1011121314",
  ])
  func anSAWithOurMarkThatWeWouldMakeOtherwiseIsNotAsMade(what: String) throws {
    try Namespace().run {
      let key = "0x0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021222324"
      try sh(
        "ip xfrm state add src 192.0.2.1 dst 192.0.2.2 proto esp spi 0x12345678 reqid 1464157780 mode transport "
          + what.replacing("KEY", with: key))
      #expect(try KernelXFRM().states().map(\.state.isAsMade) == [false])
    }
  }

  @Test(arguments: [false, true])
  func anSAThatIsInUDPIsNotTheSameAsOneThatIsNot(isInUDP: Bool) throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let state = try state(isInUDP: isInUDP)
      try kernel.add(state)
      let other = try self.state(isInUDP: !isInUDP)
      #expect(try kernel.states().map { $0.state == other } == [false])
      let error = #expect(throws: KernelError.self) { try kernel.add(other) }
      #expect(error?.code == EEXIST)
      #expect(try kernel.states().map(\.state) == [state])
    }
  }

  @Test func aFlushIsReported() throws {
    try Namespace().run {
      let kernel = try KernelXFRM()
      let monitor = try XFRMMonitor(ignoring: kernel)
      try kernel.add(try state())
      try sh("ip xfrm state flush")
      #expect(try monitor.receive() == [.everything])
      #expect(try kernel.states().isEmpty)
    }
  }

  @Test func thatTheKernelAskedAnIKEDaemonForAnSAIsNoSA() throws {
    let pair = try TunnelPair()
    try pair.a.run {
      let kernel = try KernelXFRM()
      // Somebody who listens, as an IKE daemon does.
      let listener = try sh("ip xfrm monitor acquire > /dev/null 2>&1 < /dev/null & echo $!")
      defer { _ = try? sh("kill \(listener)") }
      _ = kernel.replace(pair.blocks() + pair.protection(atA: true, spi: 0x777))
      var note = ""
      for _ in 0..<100 {
        try pair.send()
        note = try sh("ip xfrm state")
        if !note.isEmpty { break }
      }
      #expect(note.contains("spi 0x00000777 reqid 1464157780"), "the kernel keeps a note: \(note)")
      #expect(try kernel.states().isEmpty)
      #expect(!pair.witness.receive().contains { SeenPacket($0)?.isClear == true })
    }
  }
}
