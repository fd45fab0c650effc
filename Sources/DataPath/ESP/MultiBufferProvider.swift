import COpenSSL

/// AES-256-GCM of Intel's libIPSec_MB with VAES and AVX-512, from a library that was found at run time.
///
/// Each function takes a whole packet, with the parameters that intel-ipsec-mb.h gives to its kind.
package struct MultiBufferProvider: AEADProvider {
  package let name: String
  private let functions: Functions

  init(name: String, functions: Functions) {
    self.name = name
    self.functions = functions
  }

  package func makeKey(_ key: [UInt8]) -> AEADKey? {
    guard key.count == AEADKey.length else { return nil }
    let state = UnsafeMutableRawPointer.allocate(byteCount: Layout.size, alignment: Layout.alignment)
    state.initializeMemory(as: UInt8.self, repeating: 0, count: Layout.size)
    state.storeBytes(of: functions, as: Functions.self)
    functions.expand(key, state + Layout.key)
    return AEADKey(
      state: state, seal: sealByMultiBuffer, open: openByMultiBuffer, release: releaseMultiBuffer)
  }
}

extension MultiBufferProvider {
  /// `aes_gcm_pre_t`: key bytes, expanded key.
  typealias Expand = @convention(c) (UnsafeRawPointer, UnsafeMutableRawPointer) -> Void
  /// `aes_gcm_enc_dec_t`: expanded key, context, output, input, its length, nonce, AAD, its length, tag, its length.
  typealias Crypt =
    @convention(c) (
      UnsafeRawPointer, UnsafeMutableRawPointer, UnsafeMutableRawPointer, UnsafeRawPointer, UInt64, UnsafeRawPointer,
      UnsafeRawPointer, UInt64, UnsafeMutableRawPointer, UInt64
    ) -> Void

  /// What was found in the library.
  struct Functions: Sendable {
    var expand: Expand
    var encrypt: Crypt
    var decrypt: Crypt
  }
}

/// The memory of a key: the functions, room for the tag that `decrypt` computes, `struct gcm_context_data` (88 bytes in
/// version 1.3) and `struct gcm_key_data` (1,008 bytes, aligned to 64). There is far more room than that: what a
/// later version adds to them stays inside.
private enum Layout {
  static let tag = 64
  static let context = 128
  static let key = 1024
  static let size = 8192
  static let alignment = 64
}

private func sealByMultiBuffer(
  state: UnsafeMutableRawPointer, nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int,
  bytes: UnsafeMutableRawPointer, count: Int, tag: UnsafeMutableRawPointer
) -> Bool {
  guard let additionalLength = UInt64(exactly: aadLength), let length = UInt64(exactly: count) else { return false }
  let encrypt = state.load(as: MultiBufferProvider.Functions.self).encrypt
  encrypt(
    state + Layout.key, state + Layout.context, bytes, bytes, length, nonce, aad, additionalLength, tag,
    UInt64(AEADKey.tagLength))
  return true
}

private func openByMultiBuffer(
  state: UnsafeMutableRawPointer, nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int,
  bytes: UnsafeMutableRawPointer, count: Int, tag: UnsafeRawPointer
) -> Bool {
  guard let additionalLength = UInt64(exactly: aadLength), let length = UInt64(exactly: count) else { return false }
  let decrypt = state.load(as: MultiBufferProvider.Functions.self).decrypt
  let computed = state + Layout.tag
  decrypt(
    state + Layout.key, state + Layout.context, bytes, bytes, length, nonce, aad, additionalLength, computed,
    UInt64(AEADKey.tagLength))
  // The library computes the tag and leaves it to the caller to compare: in constant time.
  return CRYPTO_memcmp(computed, tag, AEADKey.tagLength) == 0
}

private func releaseMultiBuffer(state: UnsafeMutableRawPointer) {
  OPENSSL_cleanse(state, Layout.size)
  state.deallocate()
}
