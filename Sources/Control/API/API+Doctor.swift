extension API {
  /// How a check of the doctor ended.
  package enum CheckStatus: String, Codable, Sendable, CaseIterable {
    case ok, warning, failure
  }

  /// One thing that the doctor looked at.
  package struct Check: Codable, Sendable, Equatable {
    /// What was looked at, a few words.
    package var name: String
    package var status: CheckStatus
    /// What was found and, unless it is ok, what to do; one sentence.
    package var message: String

    package init(name: String, status: CheckStatus, message: String) {
      self.name = name
      self.status = status
      self.message = message
    }
  }

  /// What a host and its paths can and cannot do.
  package struct DoctorReport: Codable, Sendable, Equatable {
    /// The name of the host that answers.
    package var host: String
    /// The worst of the checks.
    package private(set) var status: CheckStatus
    package private(set) var checks: [Check]

    package init(host: String, checks: [Check]) {
      self.host = host
      self.checks = checks
      let found = Set(checks.map(\.status))
      status = found.contains(.failure) ? .failure : found.contains(.warning) ? .warning : .ok
    }
  }
}
