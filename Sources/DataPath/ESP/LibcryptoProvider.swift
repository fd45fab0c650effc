import COpenSSL

/// AES-256-GCM of OpenSSL's libcrypto, by the EVP interface.
///
/// One context for each key, which gets the key once; a packet only sets the nonce. A context serves both directions,
/// as GCM runs AES forward in both.
package struct LibcryptoProvider: AEADProvider {
  package init() {}

  package var name: String { String(cString: OpenSSL_version(OPENSSL_VERSION)) }

  package func makeKey(_ key: [UInt8]) -> AEADKey? {
    guard key.count == AEADKey.length, let context = EVP_CIPHER_CTX_new() else { return nil }
    guard EVP_EncryptInit_ex(context, EVP_aes_256_gcm(), nil, key, nil) == 1 else {
      EVP_CIPHER_CTX_free(context)
      return nil
    }
    return AEADKey(
      state: UnsafeMutableRawPointer(context), seal: sealByLibcrypto, open: openByLibcrypto, release: releaseLibcrypto)
  }
}

// The length of a nonce needs no setting: 12 bytes are what GCM has by default in libcrypto.

private func sealByLibcrypto(
  state: UnsafeMutableRawPointer, nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int,
  bytes: UnsafeMutableRawPointer, count: Int, tag: UnsafeMutableRawPointer
) -> Bool {
  guard let additionalLength = Int32(exactly: aadLength), let length = Int32(exactly: count) else { return false }
  let context = OpaquePointer(state)
  let text = bytes.assumingMemoryBound(to: UInt8.self)
  var written: Int32 = 0
  return EVP_EncryptInit_ex(context, nil, nil, nil, nonce.assumingMemoryBound(to: UInt8.self)) == 1
    && EVP_EncryptUpdate(context, nil, &written, aad.assumingMemoryBound(to: UInt8.self), additionalLength) == 1
    && EVP_EncryptUpdate(context, text, &written, text, length) == 1 && written == length
    && EVP_EncryptFinal_ex(context, text, &written) == 1
    && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, Int32(AEADKey.tagLength), tag) == 1
}

private func openByLibcrypto(
  state: UnsafeMutableRawPointer, nonce: UnsafeRawPointer, aad: UnsafeRawPointer, aadLength: Int,
  bytes: UnsafeMutableRawPointer, count: Int, tag: UnsafeRawPointer
) -> Bool {
  guard let additionalLength = Int32(exactly: aadLength), let length = Int32(exactly: count) else { return false }
  let context = OpaquePointer(state)
  let text = bytes.assumingMemoryBound(to: UInt8.self)
  // libcrypto only reads this tag, although its parameter is of a type to write to.
  let expected = UnsafeMutableRawPointer(mutating: tag)
  var written: Int32 = 0
  return EVP_DecryptInit_ex(context, nil, nil, nil, nonce.assumingMemoryBound(to: UInt8.self)) == 1
    && EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, Int32(AEADKey.tagLength), expected) == 1
    && EVP_DecryptUpdate(context, nil, &written, aad.assumingMemoryBound(to: UInt8.self), additionalLength) == 1
    && EVP_DecryptUpdate(context, text, &written, text, length) == 1 && written == length
    && EVP_DecryptFinal_ex(context, text, &written) == 1
}

/// Wipes the key, too.
private func releaseLibcrypto(state: UnsafeMutableRawPointer) { EVP_CIPHER_CTX_free(OpaquePointer(state)) }
