import Wire

/// Tries a library before it gets a key that counts: published vectors, and random texts against another library.
struct AEADSelfTest {
  private var generator: SeededGenerator

  init(seed: UInt64) { generator = SeededGenerator(seed: seed) }

  /// What went wrong, as the end of a sentence; nil if nothing did.
  func failure(of provider: any AEADProvider, against reference: any AEADProvider) -> String? {
    var copy = self
    return Self.failureOfVectors(provider) ?? copy.failureOfRandomTexts(provider, reference)
  }

  private static func failureOfVectors(_ provider: any AEADProvider) -> String? {
    for vector in AEADVector.all {
      guard let key = AEADTrial.key(of: provider, vector.key) else { return "it takes no key." }
      var trial = AEADTrial(key: key, text: vector.text, aad: vector.aad, nonce: vector.nonce, offset: 0)
      guard trial.seal(), trial.text == vector.sealed, trial.tag == vector.tag else {
        return "it seals \(vector.name) otherwise than published."
      }
      guard trial.open(), trial.text == vector.text else { return "it does not open \(vector.name)." }
    }
    return nil
  }

  /// All short lengths, all that a packet has around a block's edge, and long ones, at all alignments.
  private static let lengths = Array(0...288) + Array(1400...1520) + [2048, 4095, 8960, 9001, 16_384, 65_507]

  private mutating func failureOfRandomTexts(
    _ provider: any AEADProvider, _ reference: any AEADProvider
  ) -> String? {
    var keys: [AEADTrial.Keys] = []
    for _ in 0..<3 {
      let material = random(AEADKey.length)
      guard let tried = AEADTrial.key(of: provider, material),
        let known = AEADTrial.key(of: reference, material)
      else { return "it takes no key." }
      keys.append(AEADTrial.Keys(tried: tried, known: known))
    }
    for (index, length) in Self.lengths.enumerated() {
      let pair = keys[index % keys.count]
      // ESP without and with extended sequence numbers (RFC 4106 section 5).
      let aad = random(index.isMultiple(of: 4) ? 8 : 12)
      let (text, nonce) = (random(length), random(AEADKey.nonceLength))
      var tried = AEADTrial(key: pair.tried, text: text, aad: aad, nonce: nonce, offset: index % 67)
      var known = AEADTrial(key: pair.known, text: text, aad: aad, nonce: nonce, offset: 0)
      guard tried.seal(), known.seal(), tried.text == known.text, tried.tag == known.tag else {
        return "it seals \(length) bytes otherwise than \(reference.name)."
      }
      if let failure = tried.failureToOpen(text, changing: Int(truncatingIfNeeded: generator.next() >> 1)) {
        return "\(failure) of \(length) bytes."
      }
      guard tried.isIntactAround else { return "it writes beside a text of \(length) bytes." }
    }
    return nil
  }

  private mutating func random(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
  }
}
