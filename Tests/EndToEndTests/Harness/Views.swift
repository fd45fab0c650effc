// What the command line answers with `--json`, as a program of someone else would read it: the keys are the stable ones.

struct HostView: Decodable, Equatable {
  var id: String
  var name: String
  var state: String
  var address: String?
  var incarnation: UInt64
}

struct NetworkView: Decodable, Equatable {
  var id: String
  var name: String
  var vni: UInt32
  var bridge: String
  var encap: String
  var encryption: String
  var mtu: Int
  var state: String
  /// Only by `network show`.
  var forwarding: Forwarding?

  /// Where the host that was asked sends frames, as its packet path in user space has it.
  struct Forwarding: Decodable, Equatable {
    var path: String
    var flood: [String]
    var entries: [Entry]

    struct Entry: Decodable, Equatable {
      var mac: String
      var address: String
    }
  }
}

struct BindingView: Decodable, Equatable {
  var mac: String
  var network: String
  var host: String
  var state: String
  var sequence: UInt64?
  var ips: [String]
  var vif: String?
  var vm: String?
  var duplicate: Bool?
  var rivals: [Rival]?
  var hidden: Bool?

  struct Rival: Decodable, Equatable {
    var host: String
    var vif: String?
  }
}

struct EventView: Decodable, Equatable {
  var kind: String
  var message: String
}

struct DoctorView: Decodable, Equatable {
  var status: String
  var checks: [Check]

  struct Check: Decodable, Equatable {
    var name: String
    var status: String
    var message: String
  }
}

struct PoolView: Decodable, Equatable {
  var joined: Bool
  var pool: String?
  var host: String
  var problems: [String]
}
