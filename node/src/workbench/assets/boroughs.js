// London's boroughs as tiles, each about where it is: an arrangement of our own, seven by seven, north at the top.

export const COLUMNS = 7;
export const ROWS = 7;

/** GSS code: name, column, row, and what fits on a small tile. */
export const BOROUGHS = {
  E09000010: ["Enfield", 3, 0, "Enf"],
  E09000015: ["Harrow", 1, 1, "Hrw"],
  E09000003: ["Barnet", 2, 1, "Bar"],
  E09000014: ["Haringey", 3, 1, "Hgy"],
  E09000031: ["Waltham Forest", 4, 1, "WFo"],
  E09000026: ["Redbridge", 5, 1, "Red"],
  E09000016: ["Havering", 6, 1, "Hav"],
  E09000017: ["Hillingdon", 0, 2, "Hil"],
  E09000005: ["Brent", 1, 2, "Bre"],
  E09000007: ["Camden", 2, 2, "Cam"],
  E09000019: ["Islington", 3, 2, "Isl"],
  E09000012: ["Hackney", 4, 2, "Hac"],
  E09000025: ["Newham", 5, 2, "New"],
  E09000002: ["Barking and Dagenham", 6, 2, "B&D"],
  E09000009: ["Ealing", 0, 3, "Eal"],
  E09000013: ["Hammersmith and Fulham", 1, 3, "H&F"],
  E09000020: ["Kensington and Chelsea", 2, 3, "K&C"],
  E09000033: ["Westminster", 3, 3, "Wst"],
  E09000001: ["City of London", 4, 3, "City"],
  E09000030: ["Tower Hamlets", 5, 3, "TwH"],
  E09000018: ["Hounslow", 0, 4, "Hou"],
  E09000027: ["Richmond upon Thames", 1, 4, "Ric"],
  E09000032: ["Wandsworth", 2, 4, "Wan"],
  E09000022: ["Lambeth", 3, 4, "Lam"],
  E09000028: ["Southwark", 4, 4, "Swk"],
  E09000011: ["Greenwich", 5, 4, "Gre"],
  E09000004: ["Bexley", 6, 4, "Bex"],
  E09000021: ["Kingston upon Thames", 1, 5, "Kin"],
  E09000024: ["Merton", 2, 5, "Mer"],
  E09000008: ["Croydon", 3, 5, "Cro"],
  E09000023: ["Lewisham", 4, 5, "Lew"],
  E09000006: ["Bromley", 5, 5, "Bro"],
  E09000029: ["Sutton", 2, 6, "Sut"],
};
