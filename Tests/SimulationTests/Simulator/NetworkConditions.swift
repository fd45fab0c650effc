/// How the simulated underlay treats datagrams.
struct NetworkConditions {
  /// Datagrams lost, of 1,000.
  var loss = 0
  /// Datagrams that arrive twice, of 1,000.
  var duplication = 0
  /// Each datagram takes a time between these, so later ones overtake earlier ones.
  var shortestDelay: Duration = .microseconds(100)
  var longestDelay: Duration = .microseconds(500)

  static let lan = NetworkConditions()
  static let bad = NetworkConditions(
    loss: 100, duplication: 50, shortestDelay: .microseconds(100), longestDelay: .milliseconds(40))
}
