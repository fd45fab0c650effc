import Glibc
import Testing
import Wire

@testable import Agent

/// A source and the store that it reads, together on one reactor.
actor XenScene {
  nonisolated let reactor: Reactor
  nonisolated var unownedExecutor: UnownedSerialExecutor { reactor.asUnownedSerialExecutor() }

  private let path: String
  private var store: FakeXenstore?
  private var source: XenVIFSource?
  private nonisolated let changes: AsyncStream<XenVIFSource.Change>
  private let report: AsyncStream<XenVIFSource.Change>.Continuation

  init(path: String) throws {
    reactor = try Reactor()
    self.path = path
    (changes, report) = AsyncStream.makeStream()
  }

  func startStore() throws { store = try FakeXenstore(reactor: reactor, path: path) }

  func stopStore() {
    store?.stop()
    store = nil
  }

  func startSource() {
    let report = self.report
    let source = XenVIFSource(reactor: reactor, paths: [path], retry: .milliseconds(1)) { report.yield($0) }
    self.source = source
    source.start()
  }

  func edit(_ change: (FakeXenstore) -> Void) {
    if let store { change(store) }
  }

  func vif(_ id: XenVIF.ID) -> XenVIF? { source?.vif(id) }

  var requests: Int { store?.requests ?? 0 }

  /// The next change; waits for it.
  nonisolated func next() async -> XenVIFSource.Change? {
    for await change in changes { return change }
    return nil
  }

  func end() {
    source?.stop()
    source = nil
    stopStore()
    report.finish()
  }
}

@Suite struct XenVIFSourceTests {
  let scratch = ScratchDirectory()
  let id = XenVIF.ID(domain: 5, device: 0)
  let mac = MACAddress("00:16:3e:00:00:01")
  static let backend = "/local/domain/0/backend/vif/5/0"
  static let here = XenVIFSource.Change.notice("xenstore is there: VIFs are shown with their VMs.")

  func vif(_ state: XenVIF.State, vm: String? = "web") -> XenVIFSource.Change {
    .found(XenVIF(id: id, mac: mac, state: state, vm: vm))
  }

  static func plug(_ store: FakeXenstore) {
    store.set("/local/domain/5/name", "web")
    store.set("\(backend)/mac", "00:16:3e:00:00:01")
    store.set("\(backend)/state", "2")
  }

  /// Ends the scene whatever happens in `body`.
  func scene(_ body: (XenScene) async throws -> Void) async throws {
    let scene = try XenScene(path: "\(scratch.path)/socket")
    try await body(scene)
    await scene.end()
    scene.reactor.stop()
  }

  @Test func aVIFThatIsThereAtTheStartIsFoundWithItsMACStateAndVM() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.edit(Self.plug)
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      #expect(await scene.next() == vif(.initWait))
      #expect(await scene.vif(id)?.vm == "web")
      #expect(await scene.vif(XenVIF.ID(domain: 5, device: 1)) == nil)
    }
  }

  @Test func aGuestThatConnectsIsReportedAndOneThatLeavesIsGone() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.edit(Self.plug)
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      #expect(await scene.next() == vif(.initWait))
      await scene.edit { $0.set("\(Self.backend)/state", "4") }
      #expect(await scene.next() == vif(.connected))
      await scene.edit { $0.remove("/local/domain/0/backend/vif/5") }
      #expect(await scene.next() == .gone(id))
      #expect(await scene.vif(id) == nil)
    }
  }

  @Test func aVIFThatAppearsLaterIsFoundAndItsVMsNewNameIsTold() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      await scene.edit { store in
        store.set("/local/domain/5/name", "web--incoming")
        store.set("\(Self.backend)/mac", "00:16:3e:00:00:01")
        store.set("\(Self.backend)/state", "4")
      }
      var change = await scene.next()
      while change != nil, change != vif(.connected, vm: "web--incoming") { change = await scene.next() }
      await scene.edit { $0.set("/local/domain/5/name", "web") }
      #expect(await scene.next() == vif(.connected))
    }
  }

  @Test func withoutAXenstoreItSaysSoOnceAndFindsOneThatComesLater() async throws {
    try await scene { scene in
      await scene.startSource()
      #expect(await scene.next() == .notice(XenstoreError.absent.description))
      try await scene.startStore()
      await scene.edit(Self.plug)
      #expect(await scene.next() == Self.here)
      #expect(await scene.next() == vif(.initWait))
    }
  }

  @Test func aRestartOfTheDaemonTakesNoVIFAwayAndTheScanAfterwardsCorrects() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.edit(Self.plug)
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      #expect(await scene.next() == vif(.initWait))
      await scene.stopStore()
      guard case .notice = await scene.next() else {
        Issue.record("the end of the connection was not told")
        return
      }
      #expect(await scene.vif(id) != nil)
      try await scene.startStore()
      await scene.edit { $0.set("/local/domain/5/name", "web") }
      var change = await scene.next()
      while case .notice = change { change = await scene.next() }
      #expect(change == .gone(id))
    }
  }

  @Test func bytesThatAreNotTheProtocolEndTheConnectionOnly() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.edit(Self.plug)
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      #expect(await scene.next() == vif(.initWait))
      await scene.edit { $0.say([UInt8](repeating: 0xff, count: 64)) }
      #expect(
        await scene.next()
          == .notice(XenstoreError.broken("The daemon sent what is not its protocol.").description))
      #expect(await scene.next() == Self.here)
    }
  }

  @Test func strangeNodesAndValuesAreShownHarmlesslyOrNotAtAll() async throws {
    try await scene { scene in
      try await scene.startStore()
      await scene.edit { store in
        store.set("/local/domain/0/backend/vif/x/0/mac", "00:16:3e:00:00:02")
        store.set("/local/domain/0/backend/vif/99999999999/0/mac", "00:16:3e:00:00:02")
        store.set("/local/domain/0/backend/vif/-1/0/mac", "00:16:3e:00:00:02")
        store.set("\(Self.backend)/mac", "nonsense")
        store.set("\(Self.backend)/state", "77")
        store.set("/local/domain/5/name", "\u{1b}[31mred\n" + String(repeating: "a", count: 400))
      }
      await scene.startSource()
      #expect(await scene.next() == Self.here)
      let name = "[31mred" + String(repeating: "a", count: 246)
      #expect(await scene.next() == .found(XenVIF(id: id, mac: nil, state: .unknown, vm: name)))
    }
  }

  @Test func interfaceNamesOfGuestsAreTakenApartAndOthersAreNot() {
    #expect(XenVIF.ID(interface: "vif5.0") == XenVIF.ID(domain: 5, device: 0))
    #expect(XenVIF.ID(interface: "vif12.3-emu") == XenVIF.ID(domain: 12, device: 3))
    #expect(XenVIF.ID(interface: "tap7.1") == XenVIF.ID(domain: 7, device: 1))
    for name in [
      "eth0", "vif5", "vif.0", "vif5.", "vif5.0.1", "vif-1.0", "vif+1.0", "vif5.0-x", "tap7.1-emu", "vif99999999999.0",
    ] {
      #expect(XenVIF.ID(interface: name) == nil, "\(name)")
    }
    #expect(XenVIF.ID(domain: 5, device: 0).description == "vif5.0")
  }
}
