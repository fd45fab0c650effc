/// How much this host trusts its own view of the network: 0 is good, each step makes it probe and judge slower.
/// Lifeguard (Dadgar, Phillips, Currey, 2018) section IV-A: "local health multiplier".
struct LocalHealth: Sendable {
  private(set) var score = 0
  private let worst: Int

  init(worst: Int) { self.worst = max(0, worst) }

  mutating func change(by delta: Int) { score = min(worst, max(0, score + delta)) }

  func scale(_ duration: Duration) -> Duration { duration * (1 + score) }
}
