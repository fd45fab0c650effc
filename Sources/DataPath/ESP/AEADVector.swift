import Wire

/// A published result of AES-256-GCM.
struct AEADVector {
  var name: String
  var key: [UInt8]
  var nonce: [UInt8]
  var aad: [UInt8]
  var text: [UInt8]
  var sealed: [UInt8]
  var tag: [UInt8]

  private init(_ name: String, key: String, nonce: String, aad: String, text: String, sealed: String, tag: String) {
    self.name = name
    self.key = Self.bytes(key)
    self.nonce = Self.bytes(nonce)
    self.aad = Self.bytes(aad)
    self.text = Self.bytes(text)
    self.sealed = Self.bytes(sealed)
    self.tag = Self.bytes(tag)
  }

  /// Nothing for what is not hexadecimal: the vector is then one that no library fulfils.
  private static func bytes(_ text: String) -> [UInt8] { Hex.bytes(text) ?? [] }

  static let all = gcmSpecification + espTestCases

  private static let zeroKey = String(repeating: "00", count: AEADKey.length)
  private static let specificationKey = "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308"
  private static let specificationNonce = "cafebabefacedbaddecaf888"

  /// McGrew and Viega, "The Galois/Counter Mode of Operation (GCM)", appendix B: the cases of 256 bits with a nonce of
  /// 96.
  private static let gcmSpecification = [
    AEADVector(
      "case 13 of the GCM specification", key: zeroKey, nonce: "000000000000000000000000", aad: "", text: "",
      sealed: "",
      tag: "530f8afbc74536b9a963b4f1c4cb738b"),
    AEADVector(
      "case 14 of the GCM specification", key: zeroKey, nonce: "000000000000000000000000", aad: "",
      text: "00000000000000000000000000000000", sealed: "cea7403d4d606b6e074ec5d3baf39d18",
      tag: "d0d1c8a799996bf0265b98b5d48ab919"),
    AEADVector(
      "case 15 of the GCM specification", key: specificationKey, nonce: specificationNonce, aad: "",
      text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b391aafd255",
      sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662898015ad", tag: "b094dac5d93471bdec1a502270e3cc6c"),
    AEADVector(
      "case 16 of the GCM specification", key: specificationKey, nonce: specificationNonce,
      aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
      text: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
        + "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
      sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
        + "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662", tag: "76fc6ece0f4e1768cddf8853bb2d551b"),
  ]

  /// draft-mcgrew-gcm-test-01, section 4: packets of ESP with keys of 256 bits; the AAD of 12 bytes is that of extended
  /// sequence numbers.
  private static let espTestCases = [
    AEADVector(
      "case 3 of draft-mcgrew-gcm-test-01", key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab",
      nonce: "112233440102030405060708", aad: "4a2cbfe300000002",
      text: "4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee000000000"
        + "7002400020bf0000020405b40101040201020201",
      sealed: "ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763"
        + "748a637985771d347f0545659f14e99def842d8e", tag: "b335f4eecfdbf831824b4c4915956c96"),
    AEADVector(
      "case 9 of draft-mcgrew-gcm-test-01", key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab",
      nonce: "73616c74616e640169766563", aad: "17405e67156f3126dd0db99b",
      text: "45080028732c00004006e9f90a0106120a01038f06b88023dd6bafbecb71260250101f646d540001",
      sealed: "f2d69ecdbd5a0d5b8d5ef38bad4da58d1f278fde98ef67549d524a3018d9a57ff4d3a31ce673119e",
      tag: "451626c2415771e3b7eebca614c89b35"),
    AEADVector(
      "case 11 of draft-mcgrew-gcm-test-01", key: "abbccddef00112233445566778899aababbccddef00112233445566778899aab",
      nonce: "73616c74616e640169766563", aad: "17405e67156f3126dd0db99b",
      text: "636973636f0172756c657301746865016e6574776501646566696e6501746865"
        + "746563686e6f6c6f67696573017468617477696c6c01646566696e65746f6d6f72726f7701020201",
      sealed: "d4b7ed86a1777f2ea13d6973d324c69e7b43f826fb56831226508bebd2dceb18"
        + "d0a6df10e5487df074113e14c641024e3e6773d91a62ee429b043a10e3efe6b012a49363412364f8",
      tag: "c0cac587f249e56b11e24f30e44ccc76"),
    AEADVector(
      "case 14 of draft-mcgrew-gcm-test-01", key: "6c6567616c697a656d6172696a75616e61616e64646f69746265666f72656961",
      nonce: "7475726e333021696765746d", aad: "796b6963ffffffffffffffff",
      text: "45000030da3a00008001df3bc0a80005c0a800010800c6cd0200070061626364"
        + "65666768696a6b6c6d6e6f707172737401020201",
      sealed: "f97ab2aa356d8edce17644ac8c78e25dd24dedbb29ebf1b64a274b39b49c3a86"
        + "4cd3d78ca4ae68a32b42458fb57dbe821dcc63b9", tag: "d0937ba2945f669368661a329fb4c053"),
  ]
}
