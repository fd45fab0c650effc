import CNetlink
import Glibc

/// The second lock of encrypted networks, independent of IPsec policies: a table of nf_tables that drops their tunnel
/// packets wherever they would leave, or have come in, without IPsec. It holds for the network namespace in which it
/// was made, and stays when the agent ends.
///
/// Speaks nfnetlink itself, so no program has to be installed. For one thread.
package final class PacketFilterLock {
  /// Of the family `inet`, so that it sees IPv4 and IPv6. Its name is the mark that it is ours.
  package static let table = "weft_lock"
  /// After every priority that has a name, so that a packet is judged as it leaves.
  private static let priority: Int32 = 300
  private static let output = "output"
  private static let input = "input"

  private let socket: NetlinkSocket

  /// By which the kernel names it in notices.
  var port: UInt32 { socket.port }

  package init() throws(KernelError) { socket = try NetlinkSocket(NETLINK_NETFILTER) }

  /// Brings about exactly this lock. A difference is put right in one transaction: there is no moment without rules.
  /// What was counted is kept.
  ///
  /// - Parameters:
  ///   - udpPort: destination port of encrypted VXLAN.
  ///   - greKeys: those of encrypted GRE networks.
  /// - Returns: whether something had to be changed.
  @discardableResult
  package func ensure(udpPort: UInt16, greKeys: Set<UInt32>) throws(KernelError) -> Bool {
    let standing = try standing()
    let rules = Self.rules(udpPort: udpPort, greKeys: greKeys)
    if let standing, Self.isLock(standing, rules) { return false }
    let counts = Dictionary(
      (standing?.rules ?? []).map { ($0.withoutCounts, $0) }, uniquingKeysWith: { first, _ in first })
    begin()
    putReset()
    putTable(UInt32(NFT_MSG_NEWTABLE.rawValue))
    for chain in Self.chains { put(chain) }
    for (index, rule) in rules.enumerated() { put(counts[rule] ?? rule, isLast: index == rules.count - 1) }
    try commit("set up")
    return true
  }

  /// Whether exactly this lock stands.
  package func stands(udpPort: UInt16, greKeys: Set<UInt32>) throws(KernelError) -> Bool {
    guard let standing = try standing() else { return false }
    return Self.isLock(standing, Self.rules(udpPort: udpPort, greKeys: greKeys))
  }

  /// Takes the lock away.
  package func remove() throws(KernelError) {
    guard try standing() != nil else { return }
    begin()
    putReset(isLast: true)
    try commit("remove")
  }

  // MARK: What it consists of

  private static var chains: [FilterTable.Chain] {
    [(input, NF_INET_LOCAL_IN), (output, NF_INET_LOCAL_OUT)].map { name, hook in
      FilterTable.Chain(
        name: name, hook: UInt32(hook.rawValue), priority: priority, verdict: UInt32(NF_ACCEPT), kind: "filter")
    }
  }

  private static func rules(udpPort: UInt16, greKeys: Set<UInt32>) -> [FilterRule] {
    let kinds = [XFRMPolicy.Traffic.udp(port: udpPort)] + greKeys.sorted().map(XFRMPolicy.Traffic.gre)
    return [XFRMPolicy.Direction.input, .output].flatMap { direction in kinds.map { rule(direction, $0) } }
      + Complaint.rules(udpPort: udpPort).map { FilterRule(chain: output, expressions: $0) }
  }

  /// "UDP destination port 7679, no IPsec: count, drop"; for GRE the key, which is the second word of a header that has
  /// no checksum. One with a checksum is refused by our tunnels.
  private static func rule(_ direction: XFRMPolicy.Direction, _ traffic: XFRMPolicy.Traffic) -> FilterRule {
    let meta = FilterExpression.meta(UInt32(NFT_META_L4PROTO.rawValue))
    let packets: [FilterExpression] =
      switch traffic {
      case .udp(let port):
        [meta, .equals([IPProtocol.udp]), .transport(offset: 2, length: 2), .equals(bytes(port))]
      case .gre(let key):
        [meta, .equals([IPProtocol.gre]), .transport(offset: 4, length: 4), .equals(bytes(key))]
      }
    let security: FilterExpression =
      direction == .input
      ? .meta(UInt32(NFT_META_SECPATH.rawValue)) : .route(UInt32(NFT_RT_XFRM.rawValue))
    return FilterRule(
      chain: direction == .input ? input : output,
      expressions: packets + [security, .equals([0]), .counter(packets: 0, bytes: 0), .drop])
  }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  private static func isLock(_ standing: FilterTable, _ rules: [FilterRule]) -> Bool {
    guard standing.flags == 0, Set(standing.chains) == Set(chains) else { return false }
    // The order within a chain counts, that of the chains does not.
    return [input, output].allSatisfy { chain in
      standing.rules.filter { $0.chain == chain }.map(\.withoutCounts) == rules.filter { $0.chain == chain }
    }
  }

  // MARK: Looking

  /// What a rule of the lock has dropped.
  package struct Drops: Hashable, Sendable {
    package var direction: XFRMPolicy.Direction
    package var traffic: XFRMPolicy.Traffic
    package var packets: UInt64
    package var bytes: UInt64
  }

  /// What was dropped since the rules were made, by traffic and direction. Rules that are not ours are left out.
  package func counters() throws(KernelError) -> [Drops] {
    guard let standing = try standing() else { return [] }
    return standing.rules.compactMap { rule in
      let direction: XFRMPolicy.Direction = rule.chain == Self.input ? .input : .output
      guard let traffic = Self.traffic(rule), Self.rule(direction, traffic) == rule.withoutCounts else { return nil }
      return Drops(direction: direction, traffic: traffic, packets: rule.counts.packets, bytes: rule.counts.bytes)
    }
  }

  private static func traffic(_ rule: FilterRule) -> XFRMPolicy.Traffic? {
    guard rule.expressions.count > 3, case .equals(let bytes) = rule.expressions[3] else { return nil }
    let number = bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    switch bytes.count {
    case 2: return .udp(port: UInt16(truncatingIfNeeded: number))
    case 4: return .gre(key: number)
    default: return nil
    }
  }

  /// nil if there is no such table.
  private func standing() throws(KernelError) -> FilterTable? {
    let flags = try list(NFT_MSG_GETTABLE, NFT_MSG_NEWTABLE) { FilterTable.flags($0, table: Self.table) }
    guard let flags = flags.first else { return nil }
    let chains = try list(NFT_MSG_GETCHAIN, NFT_MSG_NEWCHAIN) { FilterTable.Chain($0, table: Self.table) }
    let rules = try list(NFT_MSG_GETRULE, NFT_MSG_NEWRULE) { FilterRule($0, table: Self.table) }
    return FilterTable(flags: flags, chains: chains, rules: rules)
  }

  private func list<Element>(
    _ request: nf_tables_msg_types, _ answer: nf_tables_msg_types, _ read: (UnsafeRawBufferPointer) -> Element?
  ) throws(KernelError) -> [Element] {
    let message = NetlinkMessage(type: Self.type(request.rawValue), flags: NLM_F_DUMP, Self.header)
    return try socket.dump(message, "the packet filter") { type, payload in
      type == Self.type(answer.rawValue) ? read(payload) : nil
    }
  }

  // MARK: Changing

  private static func type(_ message: some BinaryInteger) -> Int { Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(message) }

  private static var header: nfgenmsg {
    nfgenmsg(nfgen_family: UInt8(NFPROTO_INET), version: UInt8(NFNETLINK_V0), res_id: 0)
  }

  private static func bracket(_ type: Int32) -> NetlinkMessage {
    let subsystem = UInt16(NFNL_SUBSYS_NFTABLES).bigEndian
    return NetlinkMessage(
      type: Int(type), flags: 0, nfgenmsg(nfgen_family: 0, version: UInt8(NFNETLINK_V0), res_id: subsystem))
  }

  private func begin() {
    socket.beginBatch()
    socket.append(Self.bracket(Int32(NFNL_MSG_BATCH_BEGIN)), isAcknowledged: false)
  }

  private func commit(_ operation: String) throws(KernelError) {
    socket.append(Self.bracket(Int32(NFNL_MSG_BATCH_END)), isAcknowledged: false)
    guard let failure = socket.finishTransaction().first else { return }
    throw .refused(
      operation: operation, object: "the packet filter of encrypted networks", code: failure.code,
      message: failure.message, part: .packetFilter)
  }

  /// The table may or may not stand: it is made, if it was not there, and deleted with all that is in it.
  private func putReset(isLast: Bool = false) {
    putTable(UInt32(NFT_MSG_NEWTABLE.rawValue))
    putTable(UInt32(NFT_MSG_DELTABLE.rawValue), isLast: isLast)
  }

  private func putTable(_ type: UInt32, isLast: Bool = false) {
    let isNew = type == UInt32(NFT_MSG_NEWTABLE.rawValue)
    var message = NetlinkMessage(type: Self.type(type), flags: isNew ? NLM_F_CREATE : 0, Self.header)
    message.put(NFTA_TABLE_NAME.rawValue, text: Self.table)
    if isNew { message.put(NFTA_TABLE_FLAGS.rawValue, u32: 0) }
    socket.append(message, isAcknowledged: isLast)
  }

  private func put(_ chain: FilterTable.Chain) {
    var message = NetlinkMessage(type: Self.type(NFT_MSG_NEWCHAIN.rawValue), flags: NLM_F_CREATE, Self.header)
    message.put(NFTA_CHAIN_TABLE.rawValue, text: Self.table)
    message.put(NFTA_CHAIN_NAME.rawValue, text: chain.name)
    message.nest(NFTA_CHAIN_HOOK.rawValue) {
      $0.put(NFTA_HOOK_HOOKNUM.rawValue, u32: (chain.hook ?? 0).bigEndian)
      $0.put(NFTA_HOOK_PRIORITY.rawValue, u32: UInt32(bitPattern: chain.priority).bigEndian)
    }
    message.put(NFTA_CHAIN_POLICY.rawValue, u32: (chain.verdict ?? 0).bigEndian)
    message.put(NFTA_CHAIN_TYPE.rawValue, text: chain.kind)
    socket.append(message, isAcknowledged: false)
  }

  private func put(_ rule: FilterRule, isLast: Bool) {
    var message = NetlinkMessage(
      type: Self.type(NFT_MSG_NEWRULE.rawValue), flags: NLM_F_CREATE | NLM_F_APPEND, Self.header)
    message.put(NFTA_RULE_TABLE.rawValue, text: Self.table)
    message.put(NFTA_RULE_CHAIN.rawValue, text: rule.chain)
    message.nest(NFTA_RULE_EXPRESSIONS.rawValue) { list in
      for expression in rule.expressions { expression.put(&list) }
    }
    socket.append(message, isAcknowledged: isLast)
  }
}
