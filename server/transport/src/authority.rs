//! gRPC's C++ library names a UNIX socket as the authority of its requests, with "%2F" for slashes.
//! That is no authority by RFC 3986, and h2 refuses it. So in what comes from a UNIX socket each
//! "%" of an authority becomes a "-", which changes nothing else: nobody asks for the authority.
//! Source: RFC 9113 (frames), RFC 7541 (HPACK).

const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const FRAME_HEADER: usize = 9;
const NAME: &[u8] = b":authority";
/// Where that is in HPACK's static table, if it is not spelled out.
const AUTHORITY: u8 = 1;

/// Reads the bytes of a connection as they pass.
pub struct Mending {
    /// Bytes before the next frame: the preface at first, then what needs no look.
    skipped: usize,
    header: Vec<u8>,
    /// Bytes of header fields in this frame, and of its padding.
    fields: usize,
    padding: usize,
    flags: u8,
    /// The frame's next byte says how much padding it has.
    is_padded: bool,
    field: Field,
}

/// What the next byte of header fields is.
#[derive(Clone, Copy)]
enum Field {
    Begin,
    /// More bytes of a number that nobody needs, and what comes after them.
    Number(Next),
    Length(Next),
    /// More bytes of a length, which is so much until now; whether it is of a plain text.
    MoreLength(usize, u32, bool, Next),
    /// So many bytes; whether they are plain, and in a name, still those of ":authority".
    Text(usize, bool, Next),
}

#[derive(Clone, Copy)]
enum Next {
    Begin,
    Name,
    Value,
    Authority,
}

impl Mending {
    pub fn new(preface: usize) -> Self {
        Mending {
            skipped: preface,
            header: Vec::with_capacity(FRAME_HEADER),
            fields: 0,
            padding: 0,
            flags: 0,
            is_padded: false,
            field: Field::Begin,
        }
    }

    pub fn mend(&mut self, mut bytes: &mut [u8]) {
        while !bytes.is_empty() {
            let passed = self.part(bytes);
            bytes = &mut bytes[passed..];
        }
    }

    /// Mends some of the bytes, and says how many.
    fn part(&mut self, bytes: &mut [u8]) -> usize {
        if self.skipped > 0 {
            let size = usize::min(self.skipped, bytes.len());
            self.skipped -= size;
            return size;
        }
        if self.is_padded {
            self.is_padded = false;
            self.padding = usize::min(bytes[0] as usize, self.fields - 1);
            self.fields -= 1 + self.padding;
            self.skip_priority();
            if self.fields == 0 {
                self.skipped += std::mem::take(&mut self.padding);
            }
            return 1;
        }
        if self.fields > 0 {
            self.field = self.field.after(&mut bytes[0]);
            self.fields -= 1;
            if self.fields == 0 {
                self.skipped = std::mem::take(&mut self.padding);
            }
            return 1;
        }
        self.header.push(bytes[0]);
        if self.header.len() == FRAME_HEADER {
            self.begin_frame();
            self.header.clear();
        }
        1
    }

    fn begin_frame(&mut self) {
        let size = u32::from_be_bytes([0, self.header[0], self.header[1], self.header[2]]) as usize;
        match self.header[3] {
            HEADERS if size > 0 => {
                self.field = Field::Begin;
                self.fields = size;
                self.flags = self.header[4];
                self.is_padded = self.flags & PADDED != 0;
                if !self.is_padded {
                    self.skip_priority();
                }
            }
            CONTINUATION => self.fields = size,
            _ => self.skipped = size,
        }
    }

    fn skip_priority(&mut self) {
        if self
            .header
            .get(4)
            .is_some_and(|flags| flags & PRIORITY != 0)
        {
            self.skipped = usize::min(5, self.fields);
            self.fields -= self.skipped;
        }
    }
}

impl Field {
    fn after(self, byte: &mut u8) -> Field {
        let (is_more, bits) = (*byte & 0x80 != 0, (*byte & 0x7f) as usize);
        match self {
            Field::Begin => Field::begun(*byte),
            Field::Number(next) if is_more => Field::Number(next),
            Field::Number(next) => next.field(),
            Field::Length(next) if bits == 0x7f => Field::MoreLength(bits, 0, !is_more, next),
            Field::Length(Next::Name) => {
                Field::text(bits, !is_more && bits == NAME.len(), Next::Name)
            }
            Field::Length(next) => Field::text(bits, !is_more, next),
            Field::MoreLength(size, shift, is_plain, next) => {
                let size = size.saturating_add(bits << shift);
                match is_more && shift < 28 {
                    true => Field::MoreLength(size, shift + 7, is_plain, next),
                    false => Field::text(size, is_plain, next),
                }
            }
            Field::Text(left, is_plain, Next::Name) => {
                let is_authority =
                    is_plain && NAME.get(NAME.len().wrapping_sub(left)) == Some(byte);
                match (left, is_authority) {
                    (1, true) => Field::Length(Next::Authority),
                    _ => Field::text(left - 1, is_authority, Next::Name),
                }
            }
            Field::Text(left, is_plain, next) => {
                if is_plain && *byte == b'%' && matches!(next, Next::Authority) {
                    *byte = b'-';
                }
                Field::text(left - 1, is_plain, next)
            }
        }
    }

    fn begun(byte: u8) -> Field {
        let (bits, is_literal) = match byte {
            0x80.. => (0x7f, false),
            0x40.. => (0x3f, true),
            0x20.. => (0x1f, false),
            _ => (0x0f, true),
        };
        let index = byte & bits;
        let next = match (is_literal, index) {
            (false, _) => Next::Begin,
            (true, 0) => Next::Name,
            (true, AUTHORITY) => Next::Authority,
            (true, _) => Next::Value,
        };
        match index == bits {
            true => Field::Number(next),
            false => next.field(),
        }
    }

    fn text(left: usize, is_plain: bool, next: Next) -> Field {
        match (left, next) {
            (0, Next::Name) => Field::Length(Next::Value),
            (0, _) => Field::Begin,
            _ => Field::Text(left, is_plain, next),
        }
    }
}

impl Next {
    fn field(self) -> Field {
        match self {
            Next::Begin => Field::Begin,
            text => Field::Length(text),
        }
    }
}
