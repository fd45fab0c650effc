import Glibc
import Testing

/// The times of one step, round by round.
struct ScaleFigures {
  /// How often each case is measured: the value of WEFT_BENCH. nil: nobody asks for figures.
  static let rounds: Int? = getenv("WEFT_BENCH").map { max(1, Int(String(cString: $0)) ?? 1) }

  static let areWanted: ConditionTrait = .enabled(
    if: rounds != nil, "measures and proves nothing: Tests/Bench/xfrm-scale.sh runs it, WEFT_BENCH=ROUNDS does too")

  private var steps: [(name: String, objects: String, agent: [Duration], program: [Duration])] = []

  mutating func add(_ name: String, _ objects: String, agent: Duration, program: Duration) {
    if let place = steps.firstIndex(where: { $0.name == name }) {
      steps[place].agent.append(agent)
      steps[place].program.append(program)
    } else {
      steps.append((name, objects, [agent], [program]))
    }
  }

  /// One line for each step, with medians in milliseconds: `xfrm-scale|POOL|STEP|OBJECTS|AGENT|IP`.
  func report(_ pool: ScalePool) {
    for step in steps {
      let fields = [
        "xfrm-scale", pool.family, pool.traffic, step.name, step.objects, Self.milliseconds(step.agent),
        Self.milliseconds(step.program),
      ]
      print(fields.joined(separator: "|"))
    }
  }

  private static func milliseconds(_ times: [Duration]) -> String {
    let sorted = times.sorted()
    let middle = sorted[sorted.count / 2]
    let microseconds = (middle / .microseconds(1)).rounded()
    return String(microseconds / 1000)
  }
}

/// How long it takes.
func duration(_ body: () throws -> Void) rethrows -> Duration {
  let start = ContinuousClock.now
  try body()
  return ContinuousClock.now - start
}
