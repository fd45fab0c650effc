import Overlay
import Registry

/// Which packet path carries the encrypted networks of this host, and why: decided once, at start.
struct PathChoice: Equatable {
  enum Path: String {
    case kernel, user
  }

  /// nil if neither can.
  let path: Path?
  /// The ways to carry encrypted networks that this host does not have, each with sentences that say why.
  let obstacles: [Mechanism: String]
  /// Why this path and not the other, for people.
  let reason: String
  /// User space was chosen only since an earlier run carried encrypted networks there and its TAPs stand.
  let goesOn: Bool
  private let wanted: Settings.DataPlane

  private static let kernelWays = Mechanism.allCases.filter { $0.isProtected && !$0.isInUserSpace }
  private static let userWays = Mechanism.allCases.filter(\.isInUserSpace)

  private static let goingOn =
    "An earlier run of weftd carried encrypted networks in user space and its TAPs stand, so this one goes on with them."
  private static let advice = "Start weftd with --dataplane auto, which lets user space carry what the kernel cannot."

  /// - Parameters:
  ///   - kernel: what the kernel lacks for its ways; empty if they were not tried.
  ///   - goesOn: TAPs of an earlier run stand, and the packet path in user space works: their frames do not wait until
  ///     the kernel was tried.
  ///   - userObstacle: why the packet path in user space does not work here; nil if it does. Asked only if it matters.
  init(
    _ wanted: Settings.DataPlane, kernel: [Mechanism: String], goesOn: Bool = false, userObstacle: () -> String?
  ) {
    let asked = "weftd was started with --dataplane \(wanted.rawValue)."
    self.wanted = wanted
    self.goesOn = goesOn && wanted == .auto
    var obstacles: [Mechanism: String] = [:]
    for way in Self.kernelWays {
      switch wanted {
      case .auto: obstacles[way] = self.goesOn ? Self.goingOn : kernel[way]
      case .kernel: obstacles[way] = kernel[way].map { "\(Self.advice) \($0)" }
      case .user: obstacles[way] = asked
      }
    }
    let lacks = Self.kernelWays.compactMap { kernel[$0] }.distinct.joined(separator: " ")
    let noKernel: String =
      switch wanted {
      case .auto: self.goesOn ? Self.goingOn : lacks
      case .kernel: lacks.isEmpty ? "" : "\(Self.advice) \(lacks)"
      case .user: asked
      }
    let canKernel = Self.kernelWays.contains { obstacles[$0] == nil }
    let noUser: String? =
      switch wanted {
      case .kernel: asked
      case .auto where obstacles.isEmpty: "The kernel encrypts on this host."
      case .auto, .user: userObstacle()
      }
    if let noUser {
      for way in Self.userWays { obstacles[way] = noUser }
      path = canKernel ? .kernel : nil
    } else {
      for way in Self.kernelWays { obstacles[way] = noKernel }
      path = .user
    }
    self.obstacles = obstacles
    reason =
      switch (wanted, noUser) {
      case (.auto, nil) where self.goesOn: Self.goingOn
      case (.auto, nil): "The kernel cannot carry all encrypted networks. \(noKernel)"
      case (.auto, let noUser?) where !noKernel.isEmpty:
        "\(noKernel) The packet path in user space does not work either. \(noUser)"
      case (.auto, _):
        "The kernel encrypts VXLAN and GRE and keeps both from leaving in clear, as was tried at start."
      case (.kernel, _): noKernel.isEmpty ? asked : "\(asked) \(noKernel)"
      case (.user, let noUser): noUser.map { "\(asked) \($0)" } ?? asked
      }
  }

  /// What carries encrypted networks and why, for people.
  var sentence: String {
    switch path {
    case .kernel: "The kernel carries encrypted networks. \(reason)"
    case .user: "User space carries encrypted networks. \(reason)"
    case nil: "Nothing carries encrypted networks here; those with --encryption off are not affected. \(reason)"
    }
  }

  /// Told at start: the choice was free and did not fall on the kernel. nil for what was asked for or is to be expected.
  var event: Event? {
    wanted == .auto && path == .user ? Event(kind: "packetPath", message: sentence) : nil
  }
}

extension [String] {
  /// Each once, in their order.
  fileprivate var distinct: [String] {
    var seen: Set<String> = []
    return filter { seen.insert($0).inserted }
  }
}
