/// Logarithms in thousandths, by integers only, so that every machine computes the same timers.
enum Logarithm {
  /// 1,000 times log2 of `value`, linear between powers of two (error below 0.09); 0 up to 1. `value` counts
  /// members, so the product does not overflow.
  static func base2(_ value: Int) -> Int {
    guard value > 1 else { return 0 }
    let exponent = Int.bitWidth - 1 - value.leadingZeroBitCount
    let power = 1 << exponent
    return exponent * 1000 + (value - power) * 1000 / power
  }

  /// 1,000 times log10 of `value`, but 1,000 at least: the factor by which SWIM's times grow with the pool.
  static func poolFactor(_ value: Int) -> Int { max(1000, base2(value) * 30103 / 100_000) }
}
