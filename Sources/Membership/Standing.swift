import Wire

/// What is known of one host: its run, its incarnation in that run and its state. Rumours about a host are ordered by
/// this triple and the greater one wins everywhere, so hosts that hear the same rumours in any order agree.
///
/// Within one incarnation `agentDown` stands above `dead`: one host that sees the kernel answer outweighs all that do
/// not (`Docs/decisions/agent-down.md`).
package struct Standing: Hashable, Comparable, Sendable {
  package var boot: Boot
  package var incarnation: Incarnation
  package var state: MemberState

  package init(boot: Boot, incarnation: Incarnation, state: MemberState) {
    self.boot = boot
    self.incarnation = incarnation
    self.state = state
  }

  package static func < (left: Self, right: Self) -> Bool {
    if left.boot != right.boot { return left.boot < right.boot }
    if left.incarnation != right.incarnation { return left.incarnation < right.incarnation }
    return left.state.rank < right.state.rank
  }

  /// The same run and state one incarnation further; nil at the end of the range.
  func raised(to state: MemberState) -> Standing? {
    let (next, overflow) = incarnation.addingReportingOverflow(1)
    return overflow ? nil : Standing(boot: boot, incarnation: next, state: state)
  }
}

extension MemberState {
  /// Orders the states of one incarnation.
  var rank: Int {
    switch self {
    case .alive: 0
    case .suspect: 1
    case .dead: 2
    case .agentDown: 3
    case .left: 4
    }
  }

  /// The host's statements are in force: its agent or at least its kernel is thought to be there.
  package var isInForce: Bool {
    switch self {
    case .alive, .suspect, .agentDown: true
    case .dead, .left: false
    }
  }

  /// The agent is thought to hear and to answer.
  var isReachable: Bool { self == .alive || self == .suspect }
}
