import CNetlink
import Glibc

/// A rule of nf_tables: what it looks at, in order, and what it does.
struct FilterRule: Hashable {
  var chain: String
  var expressions: [FilterExpression]

  /// The same rule whatever it has counted.
  var withoutCounts: FilterRule {
    FilterRule(chain: chain, expressions: expressions.map(\.withoutCounts))
  }

  var counts: (packets: UInt64, bytes: UInt64) {
    for case .counter(let packets, let bytes) in expressions { return (packets, bytes) }
    return (0, 0)
  }
}

/// One step of a rule. Values go through the first register; a comparison that fails ends the rule.
enum FilterExpression: Hashable {
  /// Loads `NFT_META_…`.
  case meta(UInt32)
  /// Loads `NFT_RT_…`.
  case route(UInt32)
  /// Loads bytes behind the start of the transport header.
  case transport(offset: UInt32, length: UInt32)
  /// Goes on if what was loaded are these bytes.
  case equals([UInt8])
  /// Goes on if what was loaded are not these bytes.
  case differs([UInt8])
  case counter(packets: UInt64, bytes: UInt64)
  case drop
  /// Something that Weft does not make.
  case other(String)

  var withoutCounts: FilterExpression {
    if case .counter = self { .counter(packets: 0, bytes: 0) } else { self }
  }
}

extension FilterExpression {
  private static let register = UInt32(NFT_REG_1.rawValue)

  /// As one element of `NFTA_RULE_EXPRESSIONS`. All numbers are in network order.
  func put(_ message: inout NetlinkMessage) {
    message.nest(NFTA_LIST_ELEM.rawValue) { element in
      element.put(NFTA_EXPR_NAME.rawValue, text: name)
      element.nest(NFTA_EXPR_DATA.rawValue) { putData(&$0) }
    }
  }

  private var name: String {
    switch self {
    case .meta: "meta"
    case .route: "rt"
    case .transport: "payload"
    case .equals, .differs: "cmp"
    case .counter: "counter"
    case .drop: "immediate"
    case .other(let name): name
    }
  }

  private func putData(_ data: inout NetlinkMessage) {
    switch self {
    case .meta(let key):
      data.put(NFTA_META_KEY.rawValue, u32: key.bigEndian)
      data.put(NFTA_META_DREG.rawValue, u32: Self.register.bigEndian)
    case .route(let key):
      data.put(NFTA_RT_KEY.rawValue, u32: key.bigEndian)
      data.put(NFTA_RT_DREG.rawValue, u32: Self.register.bigEndian)
    case .transport(let offset, let length):
      data.put(NFTA_PAYLOAD_DREG.rawValue, u32: Self.register.bigEndian)
      data.put(NFTA_PAYLOAD_BASE.rawValue, u32: UInt32(NFT_PAYLOAD_TRANSPORT_HEADER.rawValue).bigEndian)
      data.put(NFTA_PAYLOAD_OFFSET.rawValue, u32: offset.bigEndian)
      data.put(NFTA_PAYLOAD_LEN.rawValue, u32: length.bigEndian)
    case .equals(let bytes): Self.putComparison(&data, UInt32(NFT_CMP_EQ.rawValue), bytes)
    case .differs(let bytes): Self.putComparison(&data, UInt32(NFT_CMP_NEQ.rawValue), bytes)
    case .counter(let packets, let bytes):
      data.put(NFTA_COUNTER_BYTES.rawValue, structure: bytes.bigEndian)
      data.put(NFTA_COUNTER_PACKETS.rawValue, structure: packets.bigEndian)
    case .drop:
      data.put(NFTA_IMMEDIATE_DREG.rawValue, u32: UInt32(NFT_REG_VERDICT.rawValue).bigEndian)
      data.nest(NFTA_IMMEDIATE_DATA.rawValue) { value in
        value.nest(NFTA_DATA_VERDICT.rawValue) { $0.put(NFTA_VERDICT_CODE.rawValue, u32: UInt32(NF_DROP).bigEndian) }
      }
    case .other: break
    }
  }

  private static func putComparison(_ data: inout NetlinkMessage, _ operation: UInt32, _ bytes: [UInt8]) {
    data.put(NFTA_CMP_SREG.rawValue, u32: register.bigEndian)
    data.put(NFTA_CMP_OP.rawValue, u32: operation.bigEndian)
    data.nest(NFTA_CMP_DATA.rawValue) { $0.put(NFTA_DATA_VALUE.rawValue, bytes: bytes) }
  }
}

extension FilterExpression {
  /// From one element of a rule's list. What differs from what `put` makes in anything is `.other`.
  init(_ element: Attribute) {
    var name = ""
    var data: [Int: Attribute] = [:]
    for attribute in Attributes(nested: element) {
      switch attribute.type {
      case Int(NFTA_EXPR_NAME.rawValue): name = attribute.text
      case Int(NFTA_EXPR_DATA.rawValue):
        for item in Attributes(nested: attribute) { data[item.type] = item }
      default: break
      }
    }
    self = Self.read(name, FilterFields(data)) ?? .other(name)
  }

  private static func read(_ name: String, _ fields: FilterFields) -> FilterExpression? {
    switch name {
    case "meta":
      guard fields.number(NFTA_META_DREG.rawValue) == register else { return nil }
      return fields.number(NFTA_META_KEY.rawValue).map(FilterExpression.meta)
    case "rt":
      guard fields.number(NFTA_RT_DREG.rawValue) == register else { return nil }
      return fields.number(NFTA_RT_KEY.rawValue).map(FilterExpression.route)
    case "payload":
      guard fields.number(NFTA_PAYLOAD_DREG.rawValue) == register,
        fields.number(NFTA_PAYLOAD_BASE.rawValue) == UInt32(NFT_PAYLOAD_TRANSPORT_HEADER.rawValue),
        let offset = fields.number(NFTA_PAYLOAD_OFFSET.rawValue), let length = fields.number(NFTA_PAYLOAD_LEN.rawValue)
      else { return nil }
      return .transport(offset: offset, length: length)
    case "cmp":
      guard fields.number(NFTA_CMP_SREG.rawValue) == register,
        let value = fields.inside(NFTA_CMP_DATA.rawValue, NFTA_DATA_VALUE.rawValue)
      else { return nil }
      switch fields.number(NFTA_CMP_OP.rawValue) {
      case UInt32(NFT_CMP_EQ.rawValue): return .equals(Array(value.bytes))
      case UInt32(NFT_CMP_NEQ.rawValue): return .differs(Array(value.bytes))
      default: return nil
      }
    case "counter":
      return .counter(
        packets: fields.count(NFTA_COUNTER_PACKETS.rawValue) ?? 0, bytes: fields.count(NFTA_COUNTER_BYTES.rawValue) ?? 0
      )
    case "immediate":
      guard fields.number(NFTA_IMMEDIATE_DREG.rawValue) == UInt32(NFT_REG_VERDICT.rawValue),
        let verdict = fields.inside(NFTA_IMMEDIATE_DATA.rawValue, NFTA_DATA_VERDICT.rawValue)
      else { return nil }
      let codes = Attributes(nested: verdict).filter { $0.type == Int(NFTA_VERDICT_CODE.rawValue) }
      return codes.first?.u32 == UInt32(NF_DROP).bigEndian ? .drop : nil
    default: return nil
    }
  }
}

/// The attributes of an expression by their type, read in network order.
private struct FilterFields {
  private let fields: [Int: Attribute]

  init(_ fields: [Int: Attribute]) { self.fields = fields }

  func number(_ type: some BinaryInteger) -> UInt32? { fields[Int(type)]?.u32.map(UInt32.init(bigEndian:)) }

  func count(_ type: some BinaryInteger) -> UInt64? { fields[Int(type)]?.u64.map(UInt64.init(bigEndian:)) }

  func inside(_ type: some BinaryInteger, _ inner: some BinaryInteger) -> Attribute? {
    fields[Int(type)].flatMap { outer in Attributes(nested: outer).first { $0.type == Int(inner) } }
  }
}
