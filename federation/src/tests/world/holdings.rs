//! The columns of its datasets, `name:type:role`, and their rows.

pub(super) const INCIDENTS: &str = "borough_gss:varchar:dimension,year:integer:dimension,happened:date:dimension,cost:decimal(10,2):measure,\
                         households:integer:measure,note:varchar:hidden,uprn:bigint:identifier";
pub(super) const INCIDENT_ROWS: &str = "\
E09000007,2020,2020-01-05,100.25,2,it's here,1
E09000007,2020,2020-03-05,,1,,1
E09000007,2021,2021-02-01,7.50,,100%_sure,2
E09000012,2020,2020-07-30,12.00,3,A,7
E09000012,2021,,0.01,0,a,8
E09000012,2021,,0.01,0,a,8
,2021,2021-05-05,55.55,4,b,9
E09000033,2019,2019-12-31,-3.10,1,,11
E09000003,,2022-02-02,9.99,5,x,12
";

pub(super) const STATIONS: &str =
    "station:varchar:dimension,borough_gss:varchar:dimension,engines:integer:measure,opened:date:dimension";
pub(super) const STATION_ROWS: &str = "\
Euston,E09000007,2,1902-11-26
Soho,E09000007,,1921-02-02
Hoxton,E09000012,3,
Hoxton,E09000012,3,
Adrift,,1,1999-09-09
,E09000033,0,2014-01-01
Closed,E09000001,4,1871-05-05
";

pub(super) const CREWS: &str =
    "uprn:bigint:identifier,year:integer:dimension,crew:varchar:dimension,hours:decimal(10,2):measure";
pub(super) const CREW_ROWS: &str = "\
1,2020,red,1.50
1,2021,blue,0.25
1,2020,red,1.50
7,2020,,3.00
8,,blue,
,2021,red,2.75
99,2022,green,10.00
";

pub(super) const BOROUGHS: &str = "gss:varchar:dimension,name:varchar:dimension,population:bigint:measure,area:double:measure,inner_london:boolean:dimension";
pub(super) const BOROUGH_ROWS: &str = "\
E09000007,Camden,270000,21.75,true
E09000012,Hackney,280000,19.5,true
E09000003,Barnet,395000,86.75,false
E09000001,City,8600,,true
E09000099,Nowhere,,0.25,
,Unknown,5,1.0,false
";

pub(super) const BUILDINGS: &str = "uprn:bigint:identifier,borough_gss:varchar:dimension,height:double:measure,storeys:integer:measure,value:decimal(12,2):measure,\
                         listed:boolean:dimension,built:date:dimension,kind:varchar:dimension";
pub(super) const CAMDEN: &str = "\
1,E09000007,10.5,3,100000.10,true,1890-01-01,house
2,E09000007,30.25,9,250000.00,false,1970-06-01,flat
3,E09000007,,,99.99,,,flat
4,E09000007,12.0,4,100000.10,true,1890-01-01,house
";
pub(super) const HACKNEY: &str = "\
7,E09000012,8.5,2,70000.00,false,1920-02-02,house
8,E09000012,55.5,18,,false,2010-01-01,flat
8,E09000012,55.5,18,,false,2010-01-01,flat
9,E09000012,4.0,1,1.01,,,
";
pub(super) const BARNET: &str = "12,E09000003,9.25,3,500000.00,true,1935-05-05,house\n";

pub(super) const INSPECTIONS: &str =
    "uprn:bigint:identifier,borough_gss:varchar:dimension,result:varchar:dimension,fine:decimal(10,2):measure";
pub(super) const INSPECTED_CAMDEN: &str = "\
1,E09000007,passed,
1,E09000007,failed,12.50
3,E09000007,failed,1.25
7,E09000007,passed,0.00
,E09000007,passed,3.00
";
pub(super) const INSPECTED_HACKNEY: &str = "\
8,E09000012,failed,99.99
8,E09000012,,99.99
1,E09000012,passed,
";

pub(super) const SPEND: &str = "supplier:varchar:dimension,amount:decimal(10,2):measure,units:integer:measure,paid:date:dimension,department:varchar:dimension,rate:double:measure";
pub(super) const SPEND_CAMDEN: &str = "\
Acme,100.10,3,2024-01-01,parks,0.5
Acme,0.05,1,2024-02-01,parks,1.5
Bolt,-20.00,,2024-02-01,roads,
Cogs,,7,,roads,2.25
Acme,100.10,3,2024-01-01,parks,0.5
";
pub(super) const SPEND_HACKNEY: &str = "\
Acme,33.33,2,2024-03-01,parks,4.0
Dyno,12.34,5,2024-01-15,,8.0
,7.00,1,2024-01-15,roads,0.25
";
