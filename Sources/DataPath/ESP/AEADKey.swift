/// One key of AES-256-GCM (RFC 5116, section 5.2) of one provider, ready for packets.
///
/// Both operations work in place on memory of any alignment, allocate nothing and take no lock. A key belongs to one
/// thread at a time. It is a state and three functions, not an object behind a protocol, so that a packet costs no
/// reference count.
package struct AEADKey: ~Copyable {
  package typealias Sealing =
    @convention(c) (
      _ state: UnsafeMutableRawPointer, _ nonce: UnsafeRawPointer, _ aad: UnsafeRawPointer, _ aadLength: Int,
      _ bytes: UnsafeMutableRawPointer, _ count: Int, _ tag: UnsafeMutableRawPointer
    ) -> Bool
  package typealias Opening =
    @convention(c) (
      _ state: UnsafeMutableRawPointer, _ nonce: UnsafeRawPointer, _ aad: UnsafeRawPointer, _ aadLength: Int,
      _ bytes: UnsafeMutableRawPointer, _ count: Int, _ tag: UnsafeRawPointer
    ) -> Bool
  package typealias Releasing = @convention(c) (_ state: UnsafeMutableRawPointer) -> Void

  package static let length = 32
  package static let nonceLength = 12
  package static let tagLength = 16

  private let state: UnsafeMutableRawPointer
  private let sealing: Sealing
  private let opening: Opening
  private let releasing: Releasing

  /// `state` is what the functions get as their first argument; the key owns it and ends it with `releasing`.
  package init(
    state: UnsafeMutableRawPointer, seal: @escaping Sealing, open: @escaping Opening, release: @escaping Releasing
  ) {
    self.state = state
    sealing = seal
    opening = open
    releasing = release
  }

  deinit { releasing(state) }

  /// Encrypts `count` bytes where they are and writes the 16 bytes of the tag. No nonce (12 bytes) may come twice with
  /// one key. False: the library refused; the bytes are of no use then.
  package func seal(
    nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int, bytes: UnsafeMutableRawPointer, count: Int,
    tag: UnsafeMutableRawPointer
  ) -> Bool {
    sealing(state, nonce, aad, aadLength, bytes, count, tag)
  }

  /// Decrypts `count` bytes where they are and compares the tag in constant time. False: the tag does not fit, and
  /// nobody may look at the bytes.
  package func open(
    nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int, bytes: UnsafeMutableRawPointer, count: Int,
    tag: UnsafeRawPointer
  ) -> Bool {
    opening(state, nonce, aad, aadLength, bytes, count, tag)
  }
}
