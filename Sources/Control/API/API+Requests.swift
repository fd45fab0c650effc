extension API {
  /// Makes a pool of which this host is the first. `POST /v1/pool/init`.
  package struct InitPool: StrictRequest, Equatable {
    package static let fields = ["name"]

    /// nil: the agent chooses.
    package var name: String?

    package init(name: String? = nil) { self.name = name }
  }

  /// Asks for a token with which other hosts join. `POST /v1/pool/tokens`.
  package struct Invite: StrictRequest, Equatable {
    package static let fields = ["ttl", "uses"]

    /// Lifetime in seconds; nil: one hour.
    package var ttl: Int?
    /// How many hosts may use it; nil: one.
    package var uses: Int?

    package init(ttl: Int? = nil, uses: Int? = nil) {
      self.ttl = ttl
      self.uses = uses
    }
  }

  /// Makes this host part of a pool. `POST /v1/pool/join`.
  package struct JoinPool: StrictRequest, Equatable {
    package static let fields = ["address", "token"]

    /// A host of the pool: an address, with a port if it is not the default one.
    package var address: String
    package var token: String

    package init(address: String, token: String) {
      self.address = address
      self.token = token
    }
  }

  /// Asks for new keys of the data path. `POST /v1/pool/rekey`.
  package struct Rekey: StrictRequest, Equatable {
    package static let fields = ["hostOnly"]

    /// Only the host that is asked, not every live host of the pool; nil: false.
    package var hostOnly: Bool?

    package init(hostOnly: Bool? = nil) { self.hostOnly = hostOnly }
  }

  /// Makes a network; what is nil takes its default. `POST /v1/networks`.
  package struct CreateNetwork: StrictRequest, Equatable {
    package static let fields = ["name", "encap", "encryption", "mtu", "vni", "bridge"]

    package var name: String
    package var encap: Encapsulation?
    package var encryption: Encryption?
    package var mtu: Int?
    package var vni: Int?
    package var bridge: String?

    package init(
      name: String, encap: Encapsulation? = nil, encryption: Encryption? = nil, mtu: Int? = nil, vni: Int? = nil,
      bridge: String? = nil
    ) {
      self.name = name
      self.encap = encap
      self.encryption = encryption
      self.mtu = mtu
      self.vni = vni
      self.bridge = bridge
    }
  }

  /// Changes a network; what is nil stays. `PATCH /v1/networks/{network}`.
  package struct SetNetwork: StrictRequest, Equatable {
    package static let fields = ["name", "mtu"]

    package var name: String?
    package var mtu: Int?

    package init(name: String? = nil, mtu: Int? = nil) {
      self.name = name
      self.mtu = mtu
    }
  }
}
