import Wire

/// Knows the VIFs of this host as xenstore shows them, and reports every change.
///
/// It is a help, never a need: without a xenstore (plain Linux, a test) it says so once and keeps silent; if one comes
/// later, or comes back, it is found within `retry`. For the reactor's thread only.
package final class XenVIFSource {
  package enum Change: Equatable, Sendable {
    /// New, or anything about it changed.
    case found(XenVIF)
    case gone(XenVIF.ID)
    /// A sentence for the events: whether there is a xenstore. Told when that changes.
    case notice(String)
  }

  static let root = "/local/domain/0/backend/vif"

  private let reactor: Reactor
  private let paths: [String]
  private let retry: Duration
  private let report: (Change) -> Void
  private var client: XenstoreClient?
  private var timer: Reactor.Timer?
  private var isStopped = false
  private var lastNotice: String?
  private var vifs: [XenVIF.ID: XenVIF] = [:]
  private var refreshes: [XenVIF.ID: Refresh] = [:]
  private var watchedDomains: Set<UInt32> = []

  /// A VIF that is being read; `again` if it changed meanwhile.
  private struct Refresh {
    var mac: MACAddress?
    var state: XenVIF.State?
    var vm: String?
    var open = 3
    var hasFailed = false
    var again = false
  }

  package convenience init(reactor: Reactor, report: @escaping (Change) -> Void) {
    self.init(reactor: reactor, paths: XenstoreClient.paths, report: report)
  }

  init(
    reactor: Reactor, paths: [String], retry: Duration = .seconds(30), report: @escaping (Change) -> Void
  ) {
    self.reactor = reactor
    self.paths = paths
    self.retry = retry
    self.report = report
  }

  /// What is known of a VIF; nil if xenstore shows none of that name.
  package func vif(_ id: XenVIF.ID) -> XenVIF? { vifs[id] }

  package func start() {
    timer = nil
    guard client == nil, !isStopped else { return }
    do throws(XenstoreError) {
      let client = try XenstoreClient(reactor: reactor, paths: paths)
      client.onEnd = { [weak self] in self?.lost($0) }
      self.client = client
      notice("xenstore is there: VIFs are shown with their VMs.")
      client.watch(Self.root) { [weak self] in self?.changed($0) }
    } catch {
      lost(error)
    }
  }

  package func stop() {
    isStopped = true
    if let timer { reactor.cancel(timer) }
    client?.onEnd = nil
    client?.close()
    client = nil
  }
}

// MARK: - What xenstore says

extension XenVIFSource {
  private func lost(_ error: XenstoreError) {
    client = nil
    refreshes = [:]
    watchedDomains = []
    notice(error.description)
    guard !isStopped else { return }
    // What was known stays: a restart of xenstored changes no guest. The first scan afterwards corrects it.
    timer = reactor.schedule(at: Reactor.now() + retry) { [weak self] in self?.start() }
  }

  private func notice(_ sentence: String) {
    guard sentence != lastNotice else { return }
    lastNotice = sentence
    report(.notice(sentence))
  }

  /// `path` lies at or below the root, or is the name of a domain that has VIFs.
  private func changed(_ path: String) {
    let parts = path.split(separator: "/")
    let rest = parts.dropFirst(Self.depth)
    guard path.hasPrefix(Self.root) else {
      if parts.count >= 3, let domain = XenVIF.ID.number(parts[2]) { scan(domain) }
      return
    }
    guard let first = rest.first else { return scan() }
    guard let domain = XenVIF.ID.number(first) else { return }
    if let second = rest.dropFirst().first, let device = XenVIF.ID.number(second) {
      refresh(XenVIF.ID(domain: domain, device: device))
    } else {
      scan(domain)
    }
  }

  private static let depth = root.split(separator: "/").count

  private func scan() {
    client?.directory(Self.root) { [weak self] result in
      guard let self, let names = Self.children(result) else { return }
      let domains = Set(names.compactMap { XenVIF.ID.number($0) })
      for domain in domains.union(vifs.keys.map(\.domain)).sorted() { scan(domain) }
    }
  }

  private func scan(_ domain: UInt32) {
    client?.directory("\(Self.root)/\(domain)") { [weak self] result in
      guard let self, let names = Self.children(result) else { return }
      let devices = Set(names.compactMap { XenVIF.ID.number($0) })
      let known = vifs.keys.filter { $0.domain == domain }.map(\.device)
      for device in devices.union(known).sorted() { refresh(XenVIF.ID(domain: domain, device: device)) }
    }
  }

  /// A node that is gone has no children. nil after any other failure: then nothing is known anew.
  private static func children(_ result: Result<[String], XenstoreError>) -> [String]? {
    switch result {
    case .success(let names): names
    case .failure(.missing): []
    case .failure: nil
    }
  }

  /// A VM gets its final name only after it has arrived, when nothing about its VIFs changes any more.
  private func follow(_ domain: UInt32, _ hasVIFs: Bool) {
    let path = "/local/domain/\(domain)/name"
    if hasVIFs, watchedDomains.insert(domain).inserted {
      client?.watch(path) { [weak self] in self?.changed($0) }
    } else if !hasVIFs, watchedDomains.remove(domain) != nil {
      client?.unwatch(path)
    }
  }

  private func refresh(_ id: XenVIF.ID) {
    guard let client else { return }
    guard refreshes[id] == nil else {
      refreshes[id]?.again = true
      return
    }
    refreshes[id] = Refresh()
    let backend = "\(Self.root)/\(id.domain)/\(id.device)"
    read(client, "\(backend)/mac", id) { $0.mac = MACAddress($1) }
    read(client, "\(backend)/state", id) { $0.state = UInt8($1).flatMap { XenVIF.State(rawValue: $0) } ?? .unknown }
    read(client, "/local/domain/\(id.domain)/name", id) { $0.vm = $1 }
  }

  private func read(
    _ client: XenstoreClient, _ path: String, _ id: XenVIF.ID, _ store: @escaping (inout Refresh, String) -> Void
  ) {
    client.read(path) { [weak self] result in
      guard let self, var refresh = refreshes[id] else { return }
      switch result {
      case .success(let bytes): store(&refresh, Self.text(bytes))
      case .failure(.missing): break
      case .failure: refresh.hasFailed = true
      }
      refresh.open -= 1
      refreshes[id] = refresh
      if refresh.open == 0 { finish(id, refresh) }
    }
  }

  private func finish(_ id: XenVIF.ID, _ read: Refresh) {
    refreshes[id] = nil
    // No answer is not the answer that nothing is there.
    guard !read.hasFailed else { return }
    if read.mac == nil, read.state == nil {
      if vifs.removeValue(forKey: id) != nil { report(.gone(id)) }
      if !vifs.keys.contains(where: { $0.domain == id.domain }) { follow(id.domain, false) }
    } else {
      follow(id.domain, true)
      let vif = XenVIF(id: id, mac: read.mac, state: read.state ?? .unknown, vm: read.vm)
      if vifs.updateValue(vif, forKey: id) != vif { report(.found(vif)) }
    }
    if read.again { refresh(id) }
  }

  /// What guests and admins write is shown on terminals: no control characters, and of a bounded length.
  private static func text(_ bytes: [UInt8]) -> String {
    String(decoding: bytes.prefix(255).filter { $0 >= 0x20 && $0 != 0x7f }, as: UTF8.self)
  }
}
