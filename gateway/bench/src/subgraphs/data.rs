//! What the subgraphs hold. Counts, lengths of texts and numbers are those of the public benchmark's data, so that
//! answers are as large as there and as repetitive.

pub(crate) struct UserRow {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    pub(crate) username: &'static str,
    pub(crate) birthday: i32,
}

pub(crate) struct ProductRow {
    pub(crate) upc: &'static str,
    pub(crate) name: &'static str,
    pub(crate) price: i32,
    pub(crate) weight: i32,
    pub(crate) in_stock: bool,
}

pub(crate) struct ReviewRow {
    pub(crate) id: &'static str,
    pub(crate) product: &'static str,
    pub(crate) body: &'static str,
}

/// Each user has the first reviews of all: many answers about few entities.
pub(crate) const REVIEWS_OF_A_USER: usize = 2;

pub(crate) fn user(id: &str) -> Option<&'static UserRow> {
    USERS.iter().find(|row| row.id == id)
}

pub(crate) fn product(upc: &str) -> Option<&'static ProductRow> {
    PRODUCTS.iter().find(|row| row.upc == upc)
}

pub(crate) const USERS: &[UserRow] = &[
    UserRow { id: "1", name: "Amina Castellan", username: "amina", birthday: 1_234_567_890 },
    UserRow { id: "2", name: "Bo Varga", username: "bovarga", birthday: 1_234_567_890 },
    UserRow { id: "3", name: "Chidi Marlowe", username: "chidimarlowe", birthday: 1_234_567_890 },
    UserRow { id: "4", name: "Dewi Anselm", username: "dewian", birthday: 1_234_567_890 },
    UserRow { id: "5", name: "Efe Rosling", username: "eferosling", birthday: 1_234_567_890 },
    UserRow { id: "6", name: "Farid Oster", username: "farido", birthday: 1_234_567_890 },
];

pub(crate) const PRODUCTS: &[ProductRow] = &[
    ProductRow { upc: "1", name: "Table", price: 899, weight: 100, in_stock: true },
    ProductRow { upc: "2", name: "Couch", price: 1299, weight: 1000, in_stock: false },
    ProductRow { upc: "3", name: "Glass", price: 15, weight: 20, in_stock: false },
    ProductRow { upc: "4", name: "Chair", price: 499, weight: 100, in_stock: false },
    ProductRow { upc: "5", name: "Radio", price: 1299, weight: 1000, in_stock: true },
    ProductRow { upc: "6", name: "Lamp", price: 6999, weight: 300, in_stock: true },
    ProductRow { upc: "7", name: "Grill", price: 3999, weight: 2000, in_stock: true },
    ProductRow { upc: "8", name: "Fridge", price: 100_000, weight: 6000, in_stock: false },
    ProductRow { upc: "9", name: "Sofa", price: 9999, weight: 800, in_stock: true },
];

pub(crate) const REVIEWS: &[ReviewRow] = &[
    ReviewRow { id: "1", product: "1", body: TABLE },
    ReviewRow { id: "2", product: "1", body: DELIVERED },
    ReviewRow { id: "3", product: "1", body: PLAIN },
    ReviewRow { id: "4", product: "1", body: SHORT },
    ReviewRow { id: "5", product: "2", body: TABLE },
    ReviewRow { id: "6", product: "2", body: DELIVERED },
    ReviewRow { id: "7", product: "2", body: PLAIN },
    ReviewRow { id: "8", product: "2", body: SHORT },
    ReviewRow { id: "9", product: "3", body: SHORT },
    ReviewRow { id: "10", product: "4", body: SHORT },
    ReviewRow { id: "11", product: "4", body: LONG },
];

const TABLE: &str = "We carried it home through the rain, up four flights of stairs and around the corner where the old \
    one got stuck, and it has stood in the kitchen ever since without a wobble. The surface takes heat \
    and coffee alike, the drawers run quietly, and the children have not yet found a way to scratch it. \
    If anything should be said against it, then that the screws were counted by an optimist: two were \
    left over, one was missing, and the shop sent it.";
const DELIVERED: &str = "Ordered on a Monday, delivered on the Wednesday, in a box that two of us could just about lift. The \
    colour is a shade darker than in the picture, which we prefer by now. After half a year of daily use \
    nothing is loose, nothing creaks, and the cat has accepted it as her own property now.";
const PLAIN: &str = "Good value, plainly made, honest about what it is. The manual has drawings instead of words and one \
    of them is upside down, but there are only so many ways to put six parts together. It replaced \
    something twice as dear that lasted half as long, and I would buy it again soon.";
const SHORT: &str = "It does what it says, it came when they said, and it looks better than it has any right to at this \
    price. The neighbours ordered two of them.";
const LONG: &str = "This is the third one I own, and the reasons are these. The first was bought in a hurry before a \
    move and was meant to last a summer; it lasted eleven years, three flats and one flood. The second \
    went to my sister, who borrowed it for a weekend and has since forgotten the word borrow. So this \
    one was chosen slowly, against four others, with a tape measure and a list. It won on every line but \
    one: the handle is small for gloves. It is quieter than the data sheet claims, it needs less power \
    than the old one, the feet can be levelled without tools, and the door opens to either side if you \
    have patience and a hexagonal key. Cleaning takes a cloth and a minute. What I would change: a \
    longer cable, and a lamp that does not shine like an operating theatre at night. What I would never \
    change: the sound it makes when it closes, which is good.";
