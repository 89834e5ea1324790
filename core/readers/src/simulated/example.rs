//! The example the simulated reader patches: a contact ARQC as the maker prints one, with the personal
//! data replaced and the ciphertext around a published test card.

/// The whole notification, 522 bytes.
pub(super) const ARQC: [u8; 522] = unhex(
    concat!(
        "AA00810483000101820410080202848201F80101848201F201E9F98201E5DFDF540A00000000000000000000DFDF",
        "550182DFDF250F423444423831373131313931394141FA8201BB708201B7DFDF5301005F201243415244484F4C44",
        "45522F544553542020205F30020201DFDF4D253B353431333030303038303030303032393D323831323230313030",
        "3030303030303030303FDFDF520105F8820166DFDF59820148366998574C8108663764156CEB47535BA7457F0165",
        "1ABD87C1D5D66A3F3987D22CC1BB4D729E525170EC397C37F77B1E229CCF06BCF348BA2ABA53AB21C966BA1E6799",
        "B4425FB88C4A1B540D835A107E73E6FD55206CBDA18A2EE24CB30A50015ACC93C40BA7DA2BD8A9B75958482FC52E",
        "906386FEEB98D8E5EA24068B0FF15EDB223FE69A40F5B2B3B326341468F1B469FBAD393F08500A92A244F5E8578F",
        "54AFE585CE54CE8AD7232E599D28E3AF17F0C1A2B2517062033EF0EE37A45051A5FFA8C2A83DB299AF812F86E3D1",
        "B7CACA4082AC878726153CD14EE891081BD7890D872F6FBFE517E4265EF2D171D40D9F1B4EE42704DEC0DC706A15",
        "EC0E673C0D186CAAA820F368CE44A2F77DB66694BEA894FEEC6CF5F20081B2BA97B08495A2AF702973BB201D9117",
        "6D6C625405D9C6135C5F19F8EBA8614364EF2C5AA15FB3DE27FE20271CFC15DFDF560A9010010B4DB817000003DF",
        "DF570180DFDF58010500000000000000",
    )
    .as_bytes(),
);

/// Where the parts that are patched begin.
pub(super) mod at {
    /// First byte of the notification's code.
    pub(in crate::simulated) const TECHNOLOGY: usize = 10;
    pub(in crate::simulated) const SERIAL: usize = 53;
    pub(in crate::simulated) const FALLBACK: usize = 80;
    /// The last byte of the masked track's tag: `4D` chip, `33` swipe.
    pub(in crate::simulated) const TRACK_TAG: usize = 109;
    pub(in crate::simulated) const TRACK: usize = 111;
    pub(in crate::simulated) const CARD_TYPE: usize = 152;
    pub(in crate::simulated) const CIPHERTEXT: usize = 163;
    pub(in crate::simulated) const KSN: usize = 495;
    pub(in crate::simulated) const ENCRYPTION_TYPE: usize = 509;
}

/// How long they are.
pub(super) const SERIAL_LEN: usize = 15;
pub(super) const TRACK_LEN: usize = 37;
pub(super) const CIPHERTEXT_LEN: usize = 328;

const fn unhex<const N: usize>(text: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let mut index = 0;
    while index < N {
        out[index] = nibble(text[2 * index]) << 4 | nibble(text[2 * index + 1]);
        index += 1;
    }
    out
}

const fn nibble(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit - b'A' + 10,
    }
}
