"""The invented shop: departments, kinds of products, brands. All names are made up."""

DEPARTMENTS: dict[str, list[tuple[str, str]]] = {
    # The order of the kinds is the order in which people tend to buy them.
    "Coffee": [
        ("Espresso Machine", "pulls a rich shot with steady pressure"),
        ("Coffee Grinder", "grinds whole beans evenly from coarse to fine"),
        ("Milk Pitcher", "steams and pours smooth milk foam"),
        ("Tamper", "presses ground coffee flat in the portafilter"),
        ("Coffee Beans", "roasted slowly for a round and chocolaty cup"),
        ("Descaler", "frees machine and boiler from lime"),
    ],
    "Tea": [
        ("Electric Kettle", "heats water to the degree that each tea needs"),
        ("Teapot", "keeps its heat and pours without a drip"),
        ("Tea Infuser", "lets loose leaves open fully"),
        ("Loose Leaf Tea", "picked early and dried with care"),
        ("Tea Caddy", "keeps leaves dry, dark and fragrant"),
    ],
    "Baking": [
        ("Stand Mixer", "kneads heavy dough without walking off the counter"),
        ("Cake Tin", "bakes evenly and releases cleanly"),
        ("Piping Set", "decorates cakes and biscuits with sharp lines"),
        ("Proofing Basket", "gives loaves of bread their shape and pattern"),
        ("Bread Flour", "strong flour for sourdough with an open crumb"),
    ],
    "Cycling": [
        ("City Bicycle", "rides upright and quietly through town"),
        ("Bicycle Helmet", "protects and stays cool on long climbs"),
        ("Bike Light", "is seen from afar on dark roads"),
        ("Pannier Bag", "carries the shopping dry on the rack"),
        ("Inner Tube", "holds its air for weeks"),
        ("Chain Oil", "keeps chain and sprockets running quietly"),
    ],
    "Camping": [
        ("Two-Person Tent", "stands firm in wind and packs down small"),
        ("Sleeping Bag", "stays warm down to freezing nights"),
        ("Camping Mat", "insulates from cold ground"),
        ("Gas Stove", "boils a pot in minutes, even in wind"),
        ("Headlamp", "lights the path and leaves the hands free"),
        ("Water Filter", "makes stream water safe to drink"),
    ],
    "Hiking": [
        ("Hiking Boots", "grip on wet rock and support the ankle"),
        ("Backpack", "spreads the load over hips and shoulders"),
        ("Trekking Poles", "take weight off the knees on descents"),
        ("Rain Jacket", "keeps rain out and lets sweat evaporate"),
        ("Wool Socks", "cushion the foot and dry fast"),
    ],
    "Garden": [
        ("Raised Bed", "grows vegetables at a comfortable height"),
        ("Potting Soil", "feeds seedlings for the first six weeks"),
        ("Tomato Seeds", "old varieties full of flavour"),
        ("Watering Can", "waters gently without washing soil away"),
        ("Pruning Shears", "cut branches cleanly with little effort"),
        ("Garden Gloves", "protect from thorns and stay flexible"),
    ],
    "Photography": [
        ("Mirrorless Camera", "focuses fast and sees well in the dark"),
        ("Camera Lens", "draws sharp portraits with a soft background"),
        ("Tripod", "holds the camera still for long exposures"),
        ("Memory Card", "writes bursts of pictures without a pause"),
        ("Camera Bag", "keeps body and lenses padded and at hand"),
    ],
    "Drawing": [
        ("Watercolour Set", "bright pigments that blend on wet paper"),
        ("Brush Set", "keeps a fine point and holds much water"),
        ("Sketchbook", "heavy paper that takes ink and washes"),
        ("Fountain Pen", "writes and draws with a springy nib"),
        ("Ink Bottle", "flows well and does not fade"),
    ],
    "Music": [
        ("Acoustic Guitar", "sounds warm and full in small rooms"),
        ("Guitar Strings", "ring clearly and stay in tune"),
        ("Capo", "clamps quickly without buzzing"),
        ("Clip-On Tuner", "shows the pitch on a bright display"),
        ("Guitar Stand", "holds the instrument safely within reach"),
    ],
}

NEIGHBOURS: dict[str, list[str]] = {
    "Coffee": ["Tea", "Baking"],
    "Tea": ["Coffee", "Baking"],
    "Baking": ["Coffee", "Garden"],
    "Cycling": ["Camping", "Hiking"],
    "Camping": ["Hiking", "Cycling"],
    "Hiking": ["Camping", "Photography"],
    "Garden": ["Baking", "Tea"],
    "Photography": ["Hiking", "Drawing"],
    "Drawing": ["Music", "Photography"],
    "Music": ["Drawing", "Coffee"],
}

CONSUMABLES = {
    "Coffee Beans", "Descaler", "Loose Leaf Tea", "Bread Flour", "Inner Tube", "Chain Oil", "Potting Soil",
    "Tomato Seeds", "Memory Card", "Ink Bottle", "Guitar Strings", "Wool Socks",
}  # fmt: skip

# Name, price tier (0 plain, 1 middle, 2 fine), and the departments it sells in.
BRANDS: list[tuple[str, int, list[str]]] = [
    ("Brunmoor", 0, ["Coffee", "Tea", "Baking"]),
    ("Velaquist", 2, ["Coffee", "Tea"]),
    ("Tamburo & Pike", 1, ["Coffee", "Baking"]),
    ("Ostrafel", 1, ["Coffee", "Tea", "Music"]),
    ("Lumivara", 2, ["Tea", "Baking", "Garden"]),
    ("Harrowdene", 1, ["Tea", "Garden"]),
    ("Copperlathe", 2, ["Baking", "Coffee"]),
    ("Millhaven Row", 0, ["Baking", "Garden"]),
    ("Kestrelby", 1, ["Cycling", "Camping"]),
    ("Pendrava", 2, ["Cycling", "Hiking"]),
    ("Rovanto", 0, ["Cycling", "Camping", "Hiking"]),
    ("Sorrelline", 1, ["Cycling", "Photography"]),
    ("Fjordwick", 2, ["Camping", "Hiking"]),
    ("Tarn & Thistle", 1, ["Camping", "Hiking", "Garden"]),
    ("Ozelka", 0, ["Camping", "Cycling"]),
    ("Stonebarrow", 1, ["Hiking", "Photography"]),
    ("Greenmantle & Sons", 2, ["Garden", "Baking"]),
    ("Plotwell", 0, ["Garden", "Hiking"]),
    ("Mirabeck", 2, ["Photography", "Drawing"]),
    ("Aperlund", 1, ["Photography", "Drawing"]),
    ("Snapfold", 0, ["Photography", "Camping"]),
    ("Quillmark", 1, ["Drawing", "Music"]),
    ("Ink & Alder", 2, ["Drawing", "Music"]),
    ("Paperjay", 0, ["Drawing", "Tea"]),
    ("Zephrane", 2, ["Music", "Drawing"]),
    ("Corvello", 1, ["Music", "Photography"]),
    ("Strumley", 0, ["Music", "Cycling"]),
]

LINES = [
    "Aurora", "Basalt", "Cinder", "Delta", "Ember", "Fathom", "Granite", "Harbour", "Indigo", "Juniper", "Kepler",
    "Lantern", "Meadow", "Nimbus", "Orchard", "Prairie", "Quartz", "Ridge", "Saffron", "Tundra", "Umber", "Violet",
    "Willow", "Yarrow",
]  # fmt: skip

QUALITIES = (
    ["Everyday", "Simple", "Compact", "Starter"],
    ["Classic", "Comfort", "Reliable", "Family"],
    ["Professional", "Handmade", "Signature", "Premium"],
)

TIER_TEXTS = (
    "Good value and easy to use.",
    "Made to last, with spare parts for ten years.",
    "Made in small batches by people who care about details.",
)

FINISHES = ["Black", "Sand", "Forest Green", "Slate Blue", "Copper", "Cream", "Rust Red", "Graphite"]
