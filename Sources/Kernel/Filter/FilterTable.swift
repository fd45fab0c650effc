import CNetlink
import Glibc

/// A table of nf_tables of the family `inet` as it stands.
struct FilterTable: Equatable {
  struct Chain: Hashable {
    var name: String
    /// `NF_INET_…`; nil if it hangs on no hook.
    var hook: UInt32?
    /// A higher one comes later.
    var priority: Int32
    /// What becomes of a packet that no rule decides on; nil without a hook.
    var verdict: UInt32?
    var kind: String
  }

  /// 0; `NFT_TABLE_F_DORMANT` means that its chains see nothing.
  var flags: UInt32
  var chains: [Chain]
  var rules: [FilterRule]
}

extension FilterTable {
  /// From the payload of `NFT_MSG_NEWTABLE`.
  static func flags(_ payload: UnsafeRawBufferPointer, table: String) -> UInt32? {
    var name = ""
    var flags: UInt32 = 0
    for attribute in Attributes(payload, after: MemoryLayout<nfgenmsg>.size) {
      switch attribute.type {
      case Int(NFTA_TABLE_NAME.rawValue): name = attribute.text
      case Int(NFTA_TABLE_FLAGS.rawValue): flags = attribute.u32.map(UInt32.init(bigEndian:)) ?? 0
      default: break
      }
    }
    return name == table ? flags : nil
  }
}

extension FilterTable.Chain {
  /// From the payload of `NFT_MSG_NEWCHAIN`; nil if it belongs to another table.
  init?(_ payload: UnsafeRawBufferPointer, table: String) {
    self.init(name: "", hook: nil, priority: 0, verdict: nil, kind: "")
    var owner = ""
    for attribute in Attributes(payload, after: MemoryLayout<nfgenmsg>.size) {
      switch attribute.type {
      case Int(NFTA_CHAIN_TABLE.rawValue): owner = attribute.text
      case Int(NFTA_CHAIN_NAME.rawValue): name = attribute.text
      case Int(NFTA_CHAIN_TYPE.rawValue): kind = attribute.text
      case Int(NFTA_CHAIN_POLICY.rawValue): verdict = attribute.u32.map(UInt32.init(bigEndian:))
      case Int(NFTA_CHAIN_HOOK.rawValue):
        for item in Attributes(nested: attribute) {
          let value = item.u32.map(UInt32.init(bigEndian:))
          switch item.type {
          case Int(NFTA_HOOK_HOOKNUM.rawValue): hook = value
          case Int(NFTA_HOOK_PRIORITY.rawValue): priority = Int32(bitPattern: value ?? 0)
          default: break
          }
        }
      default: break
      }
    }
    guard owner == table else { return nil }
  }
}

extension FilterRule {
  /// From the payload of `NFT_MSG_NEWRULE`; nil if it belongs to another table.
  init?(_ payload: UnsafeRawBufferPointer, table: String) {
    self.init(chain: "", expressions: [])
    var owner = ""
    for attribute in Attributes(payload, after: MemoryLayout<nfgenmsg>.size) {
      switch attribute.type {
      case Int(NFTA_RULE_TABLE.rawValue): owner = attribute.text
      case Int(NFTA_RULE_CHAIN.rawValue): chain = attribute.text
      case Int(NFTA_RULE_EXPRESSIONS.rawValue):
        expressions = Attributes(nested: attribute).map { FilterExpression($0) }
      default: break
      }
    }
    guard owner == table else { return nil }
  }
}
