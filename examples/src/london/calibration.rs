//! The public figures that the generated data keeps to, as compact tables of facts.
//!
//! Every table has one row per borough, in the order of the GSS codes (`E09000001` the City of London to
//! `E09000033` Westminster). A test compares them with the published files where those are at hand.

/// Households by HMO and accommodation type: Census 2021 (Office for National Statistics), 3,423,897 in all.
///
/// Fifteen kinds: no HMO, small HMO, large HMO; within each detached, semi-detached, terraced, flat, mobile.
#[rustfmt::skip]
pub(super) const HOUSEHOLDS: [[u32; 15]; 33] = [
    [    7,    15,    72,   4743,   0,   0,   0,    6,   66, 0,  0,   0,   0,   6, 0], // city
    [ 3695, 16278, 30634,  22931,  60,  46,  62,  106,   49, 0, 10,  18,  14,   2, 0], // barking_dagenham
    [14918, 40555, 21955,  69552, 178,  90, 274,  166,  909, 1, 38,  90,  34, 156, 0], // barnet
    [ 7014, 42041, 22445,  23412,  41,  24,  84,   78,   92, 0, 16,  30,  13,   7, 0], // bexley
    [ 6922, 25859, 17319,  66270,  96, 129, 443,  291,  866, 0, 91, 165,  87,  74, 0], // brent
    [24532, 40473, 27936,  42297, 227,  20,  69,   46,  143, 1, 10,  20,   9,  44, 0], // bromley
    [ 1564,  3244,  7290,  78070,  71,  14,  32,  156, 2123, 0,  6,  19,  58, 113, 0], // camden
    [18609, 37611, 35380,  60320, 137,  61, 179,  164,  253, 0, 44,  51,  36, 101, 0], // croydon
    [ 6607, 28604, 30740,  65148, 228, 134, 418,  423,  859, 0, 57, 203,  98, 141, 0], // ealing
    [ 8986, 29816, 34629,  46624, 110,  46, 111,  234,  198, 1, 28,  59,  48,  34, 0], // enfield
    [ 4533, 19894, 30079,  58253,  92,  54, 171,  295,  484, 0, 70,  40,  45,  42, 0], // greenwich
    [ 1367,  3610, 13764,  82924, 250,  51, 156,  805, 2733, 0, 15,  50, 163, 193, 1], // hackney
    [  893,  3634, 14505,  59178,  95,  28, 114,  591, 1844, 0, 13,  43, 184, 123, 0], // hammersmith_fulham
    [ 3906,  9560, 25967,  62840, 150, 107, 235,  691, 1026, 1, 44, 104, 238, 223, 0], // haringey
    [10104, 33052, 15041,  30821,  35,  43, 178,   71,  177, 0, 27,  51,  24,  18, 0], // harrow
    [11241, 41647, 24592,  23275, 273,  25,  68,   48,   59, 2, 10,  14,   1,  21, 0], // havering
    [15059, 38003, 21634,  33472, 281,  88, 232,  110,  127, 1, 33, 106,  29,  51, 0], // hillingdon
    [ 4878, 28993, 20891,  46581, 229, 115, 343,  170,  435, 2, 29, 141,  62,  92, 0], // hounslow
    [  781,  2481, 11504,  78290,  90,  34, 132,  574, 2249, 0, 11,  26, 186, 137, 0], // islington
    [  761,  2048,  8482,  54505,  74,   4,  14,   64,  781, 0,  2,   2,  14, 132, 0], // kensington_chelsea
    [ 8215, 20535, 11194,  24680,  96,  37, 192,   74,  403, 0, 32,  70,  32,  66, 0], // kingston
    [ 2559, 10003, 18652,  97307,  78,  74, 383, 1258, 3627, 0, 92, 108, 284, 262, 0], // lambeth
    [ 3591, 15539, 31284,  69598, 123,  58, 256,  630,  958, 1, 33,  91, 156,  73, 3], // lewisham
    [ 4569, 15183, 28620,  31893,  54,  61, 260,  486,  389, 0, 29,  70,  70,  44, 0], // merton
    [ 6064, 11452, 35390,  60035, 195, 192, 371,  567,  841, 2, 81, 114, 161,  42, 0], // newham
    [ 7110, 27788, 33289,  34651, 153,  98, 132,  135,  205, 0, 21,  46,  46,  38, 0], // redbridge
    [ 6656, 20063, 21348,  31948, 194,  20,  63,   71,  263, 0,  7,  38,  12,  22, 0], // richmond
    [ 2288,  7006, 17522,  99503, 213,  73, 326,  976, 2386, 3, 16,  68, 266, 172, 0], // southwark
    [ 8577, 22953, 20137,  30439,  38,  23,  39,   29,   54, 0, 11,  13,   1,  36, 0], // sutton
    [ 1043,  2446,  9704, 102412, 191,  66, 237,  766, 3184, 0, 18,  61, 184, 227, 0], // tower_hamlets
    [ 4114, 16520, 35010,  45707, 101, 100, 266,  529,  318, 0, 27,  54, 128,  26, 0], // waltham_forest
    [ 2945,  9166, 28438,  90212, 139,  64, 387, 1768, 3663, 1, 24,  87, 315, 183, 4], // wandsworth
    [ 1025,  1642,  6629,  83176,  89,  20,  86,  128, 1784, 0,  2,  10,  92, 136, 0], // westminster
];

/// The first year of [`FIRES_BY_YEAR`].
pub(super) const FIRST_YEAR: i32 = 2009;

/// The last year of [`FIRES_BY_YEAR`], which isn't whole.
pub(super) const LAST_YEAR: i32 = 2024;

/// Month and day of the last fires that were published, in [`LAST_YEAR`].
pub(super) const LAST_DAY: (u32, u32) = (8, 31);

/// Dwelling fires by year, 2009 to August 2024: London Fire Brigade, 90,146 in all.
#[rustfmt::skip]
pub(super) const FIRES_BY_YEAR: [[u32; 16]; 33] = [
    [  4,  10,   3,   6,   7,  10,  10,   3,   5,   3,   4,   8,   4,   6,   3,   1], // city
    [175, 164, 159, 147, 159, 136, 139, 162, 130, 136, 113, 111,  95, 123,  96,  64], // barking_dagenham
    [252, 267, 230, 248, 242, 211, 232, 212, 234, 236, 215, 184, 195, 218, 193, 116], // barnet
    [137, 130, 145, 145, 119, 122, 135, 121, 116, 114,  97, 100,  93, 114,  98,  81], // bexley
    [240, 245, 242, 245, 236, 220, 238, 223, 237, 214, 192, 195, 185, 166, 192, 121], // brent
    [169, 182, 173, 165, 162, 139, 145, 180, 157, 139, 157, 134, 161, 145, 135,  78], // bromley
    [231, 234, 202, 218, 200, 194, 204, 188, 194, 193, 157, 160, 162, 161, 145,  93], // camden
    [309, 268, 309, 297, 258, 260, 265, 268, 270, 258, 268, 244, 231, 231, 244, 147], // croydon
    [256, 244, 234, 201, 217, 216, 202, 196, 221, 175, 183, 176, 185, 177, 170, 111], // ealing
    [231, 216, 243, 236, 236, 224, 194, 183, 201, 189, 178, 172, 169, 173, 172,  99], // enfield
    [215, 251, 228, 215, 211, 198, 189, 187, 201, 214, 186, 198, 180, 175, 147, 119], // greenwich
    [334, 283, 302, 283, 277, 284, 262, 240, 224, 251, 218, 232, 198, 222, 196, 115], // hackney
    [178, 184, 206, 159, 168, 132, 136, 158, 132, 145, 141, 123, 110, 115, 105,  80], // hammersmith_fulham
    [269, 245, 222, 201, 197, 196, 214, 217, 176, 203, 190, 178, 173, 186, 181, 107], // haringey
    [133, 127, 142, 128, 144, 132, 114, 103, 129, 107,  91,  97,  86, 103, 110,  62], // harrow
    [127, 110, 110, 114, 109, 114, 120, 124,  96, 117, 131, 107, 108, 115,  92,  80], // havering
    [150, 150, 183, 180, 165, 147, 154, 164, 151, 154, 138, 129, 120, 166, 139,  81], // hillingdon
    [195, 160, 174, 171, 166, 154, 169, 138, 168, 149, 146, 150, 141, 161, 134,  83], // hounslow
    [212, 210, 244, 199, 186, 168, 174, 158, 200, 183, 157, 159, 148, 167, 156,  88], // islington
    [163, 161, 156, 162, 138, 156, 128, 124, 151, 135, 134, 127, 129, 126, 100,  58], // kensington_chelsea
    [ 96, 107,  96,  94, 100,  82,  80,  98,  63,  93,  82,  89,  57,  68,  69,  45], // kingston
    [383, 342, 335, 365, 311, 307, 283, 261, 245, 232, 212, 203, 219, 220, 183, 141], // lambeth
    [301, 305, 232, 266, 268, 230, 263, 238, 231, 194, 230, 231, 232, 197, 186, 149], // lewisham
    [139, 151, 135, 115, 109, 111, 127, 113,  92, 118, 127, 117,  94,  87,  93,  60], // merton
    [280, 263, 270, 248, 250, 227, 201, 198, 235, 205, 184, 188, 197, 218, 207, 113], // newham
    [170, 198, 170, 170, 155, 172, 155, 134, 152, 151, 135, 120, 107, 142, 116,  69], // redbridge
    [ 88,  99,  93, 102, 106, 117, 102, 100,  90,  77,  75,  73,  74,  85,  70,  58], // richmond
    [337, 358, 317, 341, 312, 309, 286, 269, 290, 245, 231, 247, 240, 221, 232, 151], // southwark
    [147, 159, 141, 149, 142, 135, 109, 105,  88, 105,  96,  92,  97,  87, 102,  71], // sutton
    [313, 346, 302, 260, 248, 228, 237, 204, 221, 222, 200, 213, 213, 253, 212, 144], // tower_hamlets
    [186, 187, 220, 204, 178, 162, 171, 125, 143, 163, 162, 160, 159, 141, 129,  86], // waltham_forest
    [292, 251, 265, 255, 257, 236, 240, 212, 214, 185, 243, 164, 151, 144, 182, 113], // wandsworth
    [264, 269, 250, 259, 238, 212, 210, 199, 191, 185, 208, 176, 201, 152, 164, 116], // westminster
];

/// The same fires by property type, in the order of [`PROPERTIES`].
#[rustfmt::skip]
pub(super) const FIRES_BY_PROPERTY: [[u32; 20]; 33] = [
    [   1,  0,   6,   56,  14,   0,   9,   0, 0,  0, 0, 0, 1,  0,  0,  0,  0,  0,  0,  0], // city
    [1083, 22, 431,  226, 157,  54,  21,  52, 3,  4, 0, 0, 0,  7, 13,  3, 13,  1, 12,  7], // barking_dagenham
    [1552, 26, 838,  422,  90, 196, 108, 139, 1,  2, 0, 0, 0,  5, 32, 13, 20,  5, 19, 17], // barnet
    [ 934, 36, 365,  168, 116,  43,  16, 137, 0,  7, 0, 0, 0,  3, 11,  0, 11,  4, 12,  4], // bexley
    [1137, 12, 699,  377, 151, 481, 186, 120, 0,  4, 1, 0, 0,  8, 53, 39, 42, 15, 35, 31], // brent
    [1255, 72, 499,  163,  47, 128,  94, 129, 0, 12, 0, 0, 0,  2,  3,  6,  2,  2,  6,  1], // bromley
    [ 314,  0, 476, 1055, 186, 180, 534, 128, 0,  0, 3, 0, 0,  7,  9, 23,  0,  5,  4, 12], // camden
    [1945, 37, 815,  410, 117, 269, 242, 150, 0,  2, 0, 0, 0, 15, 31, 31, 18,  9, 14, 22], // croydon
    [1210, 23, 683,  392, 155, 214, 153, 136, 0,  2, 0, 0, 0,  8, 40, 49, 36, 12, 31, 20], // ealing
    [1457, 22, 746,  230, 199, 174,  77,  89, 0,  5, 1, 0, 0,  9, 33, 14, 22,  9, 20,  9], // enfield
    [1094, 11, 650,  687, 211, 160,  97,  95, 2,  2, 0, 1, 0, 13, 28, 22, 14,  7, 11,  9], // greenwich
    [ 662,  6, 772, 1382, 234, 228, 327, 186, 1,  2, 2, 0, 0, 12, 10, 42,  5, 13, 13, 24], // hackney
    [ 435,  1, 330,  521, 136, 257, 360, 177, 3,  0, 2, 0, 0,  3,  2, 16,  5,  6,  7, 11], // hammersmith_fulham
    [1016, 12, 592,  369, 100, 451, 268, 142, 2,  2, 0, 0, 0,  8, 37, 40, 26, 16, 46, 28], // haringey
    [ 971, 13, 434,  116,  11,  98,  22,  84, 1,  2, 0, 0, 0,  5, 14, 11,  7,  7,  9,  3], // harrow
    [ 950, 79, 393,   95,  67,  50,  16,  81, 0,  9, 1, 0, 0,  7, 14,  6,  2,  1,  1,  2], // havering
    [1321, 69, 580,   99,  29,  72,  20,  79, 1,  7, 5, 0, 0,  7, 32,  8, 14,  4, 14, 10], // hillingdon
    [1078, 17, 517,  307,  97, 142,  62,  96, 2,  8, 2, 0, 0, 13, 30, 21, 18, 11, 23, 15], // hounslow
    [ 345,  0, 580,  967, 206, 153, 403,  86, 0,  1, 3, 0, 0,  5,  5, 21,  6,  9,  3, 16], // islington
    [ 344,  2, 261,  613, 138,  63, 582,  95, 5,  0, 0, 0, 0,  8,  1, 19,  1,  3,  2, 11], // kensington_chelsea
    [ 623, 15, 262,  166,  34,  62,  53,  58, 1,  2, 1, 0, 0,  5,  6,  6,  7,  3, 11,  4], // kingston
    [ 760, 15, 870, 1167, 240, 398, 433, 215, 3,  0, 0, 0, 0,  9, 14, 39, 13, 23, 18, 25], // lambeth
    [1083, 14, 839,  687, 185, 372, 298, 144, 1,  4, 0, 0, 0, 16, 34, 28, 11, 14, 10, 13], // lewisham
    [ 880,  6, 454,  143,  20, 108,  61,  57, 1,  2, 0, 0, 0,  5,  9, 12, 12,  9,  8,  1], // merton
    [1410, 16, 662,  426, 267, 298,  85,  99, 1,  2, 4, 0, 0, 17, 41, 27, 52, 17, 41, 19], // newham
    [1233, 32, 406,  122,  95, 205,  46,  92, 0,  0, 0, 0, 0,  7, 15,  9, 23,  8, 18,  5], // redbridge
    [ 663, 15, 313,  121,  16,  65,  79, 108, 1,  1, 2, 1, 0,  2,  3,  7,  3,  0,  4,  5], // richmond
    [ 582,  5, 866, 1804, 431, 224, 254, 122, 4,  1, 2, 0, 0, 11,  8, 18, 18, 10, 13, 13], // southwark
    [ 759, 30, 526,  164,  52,  62,  46, 154, 0,  0, 0, 0, 0,  4, 10,  5,  3,  0,  4,  6], // sutton
    [ 328,  2, 714, 1827, 560,  69, 148,  90, 1,  1, 1, 0, 0,  7,  6, 22,  6, 10,  7, 17], // tower_hamlets
    [1048, 16, 654,  166,  50, 302,  73, 127, 1,  1, 0, 0, 0, 12, 30, 11, 26, 13, 34, 12], // waltham_forest
    [ 841, 12, 647,  728, 409, 267, 266, 179, 0,  0, 2, 0, 0,  5,  8, 15,  5,  5,  5, 10], // wandsworth
    [ 295,  0, 347, 1491, 254, 126, 596, 129, 0,  0, 7, 4, 0, 13,  1, 15,  1,  9,  2,  4], // westminster
];

/// A property type, with what the brigade publishes beside it about multiple occupancy.
pub(super) struct Property {
    /// The property type.
    pub(super) name: &'static str,
    /// Whether it is a house in multiple occupation, and whether licensed.
    pub(super) hmo: Hmo,
}

/// The brigade's two columns about multiple occupancy, which depend on the property type alone.
pub(super) struct Hmo {
    /// The column `hmo_yn`.
    pub(super) flag: &'static str,
    /// The column `hmo_license`.
    pub(super) licence: &'static str,
}

const NOT_HMO: Hmo = Hmo { flag: "Other dwelling", licence: "Other dwelling" };
const LICENSED: Hmo = Hmo { flag: "HMO", licence: "HMO - licensed" };
const UNLICENSED: Hmo = Hmo { flag: "HMO", licence: "HMO - unlicensed" };
const UNKNOWN: Hmo = Hmo { flag: "HMO", licence: "HMO - unknown" };

/// The property types of dwelling fires, each with the HMO flag and licence that the brigade publishes for it.
#[rustfmt::skip]
pub(super) const PROPERTIES: [Property; 20] = [
    Property { name: "House - single occupancy", hmo: NOT_HMO },
    Property { name: "Bungalow - single occupancy", hmo: NOT_HMO },
    Property { name: "Purpose Built Flats/Maisonettes - Up to 3 storeys", hmo: NOT_HMO },
    Property { name: "Purpose Built Flats/Maisonettes - 4 to 9 storeys", hmo: NOT_HMO },
    Property { name: "Purpose Built Flats/Maisonettes - 10 or more storeys", hmo: NOT_HMO },
    Property { name: "Converted Flat/Maisonette - Up to 2 storeys", hmo: NOT_HMO },
    Property { name: "Converted Flat/Maisonettes - 3 or more storeys", hmo: NOT_HMO },
    Property { name: "Self contained Sheltered Housing", hmo: NOT_HMO },
    Property { name: "Tenement Building", hmo: NOT_HMO },
    Property { name: "Caravan/Mobile home (permanent dwelling)", hmo: NOT_HMO },
    Property { name: "Houseboat (permanent dwelling)", hmo: NOT_HMO },
    Property { name: "Royal Palace (part not open to public)", hmo: NOT_HMO },
    Property { name: "Stately Home (part not open to public)", hmo: NOT_HMO },
    Property { name: "Other Dwelling", hmo: NOT_HMO },
    Property { name: "Licensed House in Multiple Occupation - Up to 2 storeys", hmo: LICENSED },
    Property { name: "Licensed House in Multiple Occupation - 3 or more storeys", hmo: LICENSED },
    Property { name: "Unlicensed House in Multiple Occupation - Up to 2 storeys", hmo: UNLICENSED },
    Property { name: "Unlicensed House in Multiple Occupation - 3 or more storeys", hmo: UNLICENSED },
    Property { name: "House in Multiple Occupation - Up to 2 storeys (not known if licensed)", hmo: UNKNOWN },
    Property { name: "House in Multiple Occupation - 3 or more storeys (not known if licensed)", hmo: UNKNOWN },
];

/// Where most of a borough's dwelling fires lie: easting and northing of the middle, half width, half height, in metres
/// of the British National Grid.
#[rustfmt::skip]
pub(super) const EXTENTS: [[i32; 4]; 33] = [
    [532400, 181400, 1300,  700], // city
    [547200, 186100, 3300, 3300], // barking_dagenham
    [523800, 191400, 4600, 5000], // barnet
    [548800, 176100, 3600, 5000], // bexley
    [520900, 186100, 4300, 3200], // brent
    [541000, 165500, 6800, 6500], // bromley
    [527700, 184100, 3100, 2500], // camden
    [534300, 164600, 4200, 5600], // croydon
    [516400, 182000, 5000, 3100], // ealing
    [532800, 195500, 4000, 3700], // enfield
    [542400, 176500, 4700, 4100], // greenwich
    [534300, 185400, 2100, 2500], // hackney
    [524000, 178500, 2200, 2700], // hammersmith_fulham
    [531300, 189600, 3300, 2000], // haringey
    [515300, 189200, 4000, 3400], // harrow
    [553400, 187300, 3900, 5200], // havering
    [508500, 184300, 3400, 7200], // hillingdon
    [515200, 175200, 6200, 3500], // hounslow
    [531100, 184900, 1900, 2700], // islington
    [525600, 179700, 2300, 2400], // kensington_chelsea
    [519700, 167500, 2200, 3900], // kingston
    [530900, 174700, 1900, 4400], // lambeth
    [537700, 174900, 3000, 3600], // lewisham
    [526300, 169300, 3900, 2400], // merton
    [540900, 182900, 2500, 2900], // newham
    [543700, 188900, 3700, 3700], // redbridge
    [517500, 173600, 4900, 3900], // richmond
    [533800, 176400, 2100, 3600], // southwark
    [526600, 164400, 3800, 2400], // sutton
    [536200, 181200, 2400, 2300], // tower_hamlets
    [537800, 190200, 1900, 4400], // waltham_forest
    [525600, 173900, 3800, 3100], // wandsworth
    [527200, 180600, 2800, 2600], // westminster
];
