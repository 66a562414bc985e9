//! Published figures of the boroughs that the open tables of the GLA hold, as compact facts.
//!
//! In the order of the GSS codes. A test compares them with the published files where those are at hand.

/// What is published of a borough.
pub(super) struct Facts {
    /// Residents in 2021: Greater London Authority, population projections.
    pub(super) population: u32,
    /// Its area without tidal water, in hectares: the same table.
    pub(super) hectares: f64,
    /// Green space in per cent of its area, 2005: Greater London Authority, London borough profiles 2015.
    pub(super) green_percent: f64,
    /// Annual mean of nitrogen dioxide in 2019, in micrograms per cubic metre: London Atmospheric Emissions Inventory.
    pub(super) no2: f64,
    /// Homes empty for six months and longer in 2015: Department for Communities and Local Government.
    pub(super) vacant: u32,
}

/// One row per borough.
#[rustfmt::skip]
pub(super) const FACTS: [Facts; 33] = [
    facts(  8164,   290.4,  4.8, 40.994,   44), // city
    facts(221495,  3610.8, 33.6, 24.905,  202), // barking_dagenham
    facts(411275,  8674.8, 41.3,   26.6, 1249), // barnet
    facts(256845,  6058.1, 31.7, 23.896,  395), // bexley
    facts(346437,  4323.3, 21.9, 28.713,  405), // brent
    facts(339466, 15013.5, 57.8, 21.053,  696), // bromley
    facts(259344,  2178.9, 24.8, 33.956, 1138), // camden
    facts(403461,  8650.4, 37.1,  23.11, 1022), // croydon
    facts(369685,  5554.4, 30.9, 28.409,  667), // ealing
    facts(346635,  8083.2, 45.6, 24.983,  817), // enfield
    facts(294837,  4733.4, 34.4, 27.153,  504), // greenwich
    facts(292023,  1904.9, 23.2,  31.83, 1037), // hackney
    facts(195981,  1639.7, 19.1, 31.776,  267), // hammersmith_fulham
    facts(291330,  2959.8, 25.5, 28.828,  852), // haringey
    facts(263484,  5046.3, 34.6, 24.152,   97), // harrow
    facts(265930, 11235.0, 59.3, 21.139,  499), // havering
    facts(319467, 11570.1, 49.2, 25.869,  463), // hillingdon
    facts(286947,  5597.8, 39.6, 28.219,  403), // hounslow
    facts(244372,  1485.7, 12.4, 33.958,  953), // islington
    facts(161552,  1212.4, 15.1, 34.704, 1289), // kensington_chelsea
    facts(184660,  3726.1, 36.4, 24.497,  180), // kingston
    facts(342250,  2681.0, 17.3, 30.513, 1142), // lambeth
    facts(320574,  3514.9, 22.5, 27.282,  725), // lewisham
    facts(214740,  3762.5, 34.6, 26.295,  510), // merton
    facts(366943,  3619.8, 23.9, 29.208, 1318), // newham
    facts(316288,  5641.9, 40.6, 25.474,  267), // redbridge
    facts(203312,  5740.7, 50.8, 25.323,  370), // richmond
    facts(332679,  2886.2, 24.9, 31.108,  930), // southwark
    facts(213340,  4384.7, 32.0, 23.438,  551), // sutton
    facts(331620,  1978.1, 15.2, 33.795,  666), // tower_hamlets
    facts(292788,  3880.8, 31.4, 27.326,  419), // waltham_forest
    facts(337783,  3426.4, 26.9,  29.21,  263), // wandsworth
    facts(262317,  2148.7, 38.2, 37.934,  575), // westminster
];

const fn facts(population: u32, hectares: f64, green_percent: f64, no2: f64, vacant: u32) -> Facts {
    Facts { population, hectares, green_percent, no2, vacant }
}
