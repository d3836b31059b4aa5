//! A small table of countries, states and well-known cities; enough to read an address until a gazetteer is at hand.

use super::text::{fold, tokens};
use std::collections::HashMap;
use std::sync::LazyLock;

/// ISO code, dialling code, national domain, names in several languages (folded).
struct Country(&'static str, &'static str, &'static str, &'static [&'static str]);

const COUNTRIES: &[Country] = &[
    Country("AR", "54", "ar", &["argentina", "argentine", "argentinien"]),
    Country("AT", "43", "at", &["austria", "osterreich", "autriche", "oostenrijk", "rakousko"]),
    Country("AU", "61", "au", &["australia", "australie", "australien"]),
    Country("BE", "32", "be", &["belgium", "belgie", "belgique", "belgien", "belgica", "belgio"]),
    Country("BG", "359", "bg", &["bulgaria", "българия", "bulgarien"]),
    Country("BO", "591", "bo", &["bolivia"]),
    Country("BR", "55", "br", &["brazil", "brasil", "bresil", "brasilien", "brasile"]),
    Country("BY", "375", "by", &["belarus", "беларусь", "белоруссия"]),
    Country("CA", "1", "ca", &["canada", "kanada"]),
    Country("CH", "41", "ch", &["switzerland", "schweiz", "suisse", "svizzera", "suiza", "zwitserland"]),
    Country("CL", "56", "cl", &["chile", "chili"]),
    Country("CN", "86", "cn", &["china", "中国"]),
    Country("CO", "57", "", &["colombia", "colombie", "kolumbien"]),
    Country("CR", "506", "cr", &["costa rica"]),
    Country("CU", "53", "cu", &["cuba", "kuba"]),
    Country("CY", "357", "cy", &["cyprus"]),
    Country("CZ", "420", "cz", &["czech republic", "czechia", "ceska republika", "cesko", "tschechien", "republica checa", "чехия", "czechy"]),
    Country("DE", "49", "de", &["germany", "deutschland", "allemagne", "alemania", "alemanha", "germania", "duitsland", "niemcy", "германия", "німеччина", "nemecko"]),
    Country("DK", "45", "dk", &["denmark", "danmark", "danemark"]),
    Country("DO", "1", "do", &["dominican republic", "republica dominicana"]),
    Country("EC", "593", "ec", &["ecuador"]),
    Country("EE", "372", "ee", &["estonia", "eesti"]),
    Country("EG", "20", "eg", &["egypt"]),
    Country("ES", "34", "es", &["spain", "espana", "espagne", "spanien", "spagna", "spanje", "espanha", "hiszpania", "испания"]),
    Country("FI", "358", "fi", &["finland", "suomi"]),
    Country("FR", "33", "fr", &["france", "francia", "frankreich", "franca", "frankrijk", "francja", "франция"]),
    Country("GB", "44", "uk", &["united kingdom", "uk", "england", "scotland", "wales", "great britain", "northern ireland", "reino unido", "royaume uni", "vereinigtes konigreich", "inghilterra", "britain", "u k"]),
    Country("GE", "995", "ge", &["georgia tbilisi", "грузия", "sakartvelo"]),
    Country("GR", "30", "gr", &["greece", "ελλαδα", "griechenland", "grecia"]),
    Country("GT", "502", "gt", &["guatemala"]),
    Country("HK", "852", "hk", &["hong kong", "香港"]),
    Country("HR", "385", "hr", &["croatia", "hrvatska", "kroatien"]),
    Country("HU", "36", "hu", &["hungary", "magyarorszag", "ungarn"]),
    Country("ID", "62", "id", &["indonesia"]),
    Country("IE", "353", "ie", &["ireland", "irland", "irlande", "eire"]),
    Country("IL", "972", "il", &["israel", "ישראל"]),
    Country("IN", "91", "in", &["india"]),
    Country("IS", "354", "is", &["iceland", "island"]),
    Country("IT", "39", "it", &["italy", "italia", "italie", "italien", "wlochy", "италия"]),
    Country("JP", "81", "jp", &["japan", "日本", "japon", "giappone", "nippon", "япония"]),
    Country("KR", "82", "kr", &["south korea", "korea", "대한민국", "한국"]),
    Country("KZ", "7", "kz", &["kazakhstan", "казахстан"]),
    Country("LT", "370", "lt", &["lithuania", "lietuva", "litauen"]),
    Country("LU", "352", "lu", &["luxembourg", "luxemburg"]),
    Country("LV", "371", "lv", &["latvia", "latvija", "lettland", "латвия"]),
    Country("MA", "212", "ma", &["morocco", "maroc"]),
    Country("MT", "356", "mt", &["malta"]),
    Country("MX", "52", "mx", &["mexico", "mexique", "mexiko", "messico"]),
    Country("MY", "60", "my", &["malaysia"]),
    Country("NL", "31", "nl", &["netherlands", "the netherlands", "nederland", "holland", "pays bas", "niederlande", "paises bajos", "paesi bassi", "holandia"]),
    Country("NO", "47", "no", &["norway", "norge", "norwegen"]),
    Country("NZ", "64", "nz", &["new zealand", "aotearoa"]),
    Country("PA", "507", "pa", &["panama"]),
    Country("PE", "51", "pe", &["peru", "perou"]),
    Country("PH", "63", "ph", &["philippines"]),
    Country("PL", "48", "pl", &["poland", "polska", "polen", "pologne", "polonia", "польша", "polsko"]),
    Country("PR", "1", "pr", &["puerto rico"]),
    Country("PT", "351", "pt", &["portugal", "portogallo"]),
    Country("PY", "595", "py", &["paraguay"]),
    Country("RO", "40", "ro", &["romania", "rumanien"]),
    Country("RS", "381", "rs", &["serbia", "srbija", "србија"]),
    Country("RU", "7", "ru", &["russia", "россия", "rosja", "russland", "russian federation"]),
    Country("SE", "46", "se", &["sweden", "sverige", "schweden", "suede"]),
    Country("SG", "65", "sg", &["singapore"]),
    Country("SI", "386", "si", &["slovenia", "slovenija"]),
    Country("SK", "421", "sk", &["slovakia", "slovensko", "slowakei"]),
    Country("TH", "66", "th", &["thailand", "ประเทศไทย"]),
    Country("TR", "90", "tr", &["turkey", "turkiye", "turquie"]),
    Country("TW", "886", "tw", &["taiwan"]),
    Country("UA", "380", "ua", &["ukraine", "украина", "україна", "ukraina"]),
    Country("US", "1", "us", &["usa", "united states", "united states of america", "estados unidos", "etats unis", "u s a", "сша", "u s"]),
    Country("UY", "598", "uy", &["uruguay"]),
    Country("VE", "58", "ve", &["venezuela"]),
    Country("VN", "84", "vn", &["vietnam", "viet nam"]),
    Country("ZA", "27", "za", &["south africa", "sudafrika"]),
];

/// Country, code as printed in addresses, names.
struct Region(&'static str, &'static str, &'static [&'static str]);

const REGIONS: &[Region] = &[
    Region("US", "AL", &["alabama"]), Region("US", "AK", &["alaska"]), Region("US", "AZ", &["arizona"]), Region("US", "AR", &["arkansas"]), Region("US", "CA", &["california"]),
    Region("US", "CO", &["colorado"]), Region("US", "CT", &["connecticut"]), Region("US", "DE", &["delaware"]), Region("US", "DC", &["district of columbia"]), Region("US", "FL", &["florida"]),
    Region("US", "GA", &["georgia"]), Region("US", "HI", &["hawaii"]), Region("US", "ID", &["idaho"]), Region("US", "IL", &["illinois"]), Region("US", "IN", &["indiana"]),
    Region("US", "IA", &["iowa"]), Region("US", "KS", &["kansas"]), Region("US", "KY", &["kentucky"]), Region("US", "LA", &["louisiana"]), Region("US", "ME", &["maine"]),
    Region("US", "MD", &["maryland"]), Region("US", "MA", &["massachusetts"]), Region("US", "MI", &["michigan"]), Region("US", "MN", &["minnesota"]), Region("US", "MS", &["mississippi"]),
    Region("US", "MO", &["missouri"]), Region("US", "MT", &["montana"]), Region("US", "NE", &["nebraska"]), Region("US", "NV", &["nevada"]), Region("US", "NH", &["new hampshire"]),
    Region("US", "NJ", &["new jersey"]), Region("US", "NM", &["new mexico"]), Region("US", "NY", &["new york"]), Region("US", "NC", &["north carolina"]), Region("US", "ND", &["north dakota"]),
    Region("US", "OH", &["ohio"]), Region("US", "OK", &["oklahoma"]), Region("US", "OR", &["oregon"]), Region("US", "PA", &["pennsylvania"]), Region("US", "RI", &["rhode island"]),
    Region("US", "SC", &["south carolina"]), Region("US", "SD", &["south dakota"]), Region("US", "TN", &["tennessee"]), Region("US", "TX", &["texas"]), Region("US", "UT", &["utah"]),
    Region("US", "VT", &["vermont"]), Region("US", "VA", &["virginia"]), Region("US", "WA", &["washington state", "washington"]), Region("US", "WV", &["west virginia"]), Region("US", "WI", &["wisconsin"]),
    Region("US", "WY", &["wyoming"]),
    Region("CA", "ON", &["ontario"]), Region("CA", "QC", &["quebec"]), Region("CA", "BC", &["british columbia"]), Region("CA", "AB", &["alberta"]), Region("CA", "MB", &["manitoba"]),
    Region("CA", "SK", &["saskatchewan"]), Region("CA", "NS", &["nova scotia"]), Region("CA", "NB", &["new brunswick"]), Region("CA", "NL", &["newfoundland", "newfoundland and labrador"]), Region("CA", "PE", &["prince edward island"]),
    Region("AU", "NSW", &["new south wales"]), Region("AU", "VIC", &["victoria"]), Region("AU", "QLD", &["queensland"]), Region("AU", "WA", &["western australia"]), Region("AU", "SA", &["south australia"]),
    Region("AU", "TAS", &["tasmania"]), Region("AU", "ACT", &["australian capital territory"]), Region("AU", "NT", &["northern territory"]),
    Region("DE", "", &["bayern", "bavaria", "hessen", "sachsen", "nordrhein westfalen", "nrw", "niedersachsen", "baden wurttemberg", "brandenburg", "schleswig holstein", "thuringen", "saarland", "rheinland pfalz", "mecklenburg vorpommern", "sachsen anhalt"]),
    Region("CO", "", &["cundinamarca", "antioquia", "valle del cauca", "atlantico", "santander", "risaralda", "caldas", "quindio", "boyaca", "tolima", "huila", "narino", "cauca", "meta", "magdalena"]),
    Region("BR", "", &["sao paulo estado", "minas gerais", "rio grande do sul", "santa catarina", "parana", "bahia", "pernambuco", "ceara", "goias", "espirito santo", "paraiba", "mato grosso", "rio grande do norte"]),
    Region("ES", "", &["cataluna", "catalunya", "catalonia", "andalucia", "pais vasco", "euskadi", "galicia", "comunidad de madrid", "comunidad valenciana", "comunitat valenciana", "asturias", "aragon", "navarra", "canarias", "islas baleares", "illes balears", "mallorca", "tenerife", "gran canaria", "vizcaya", "bizkaia"]),
    Region("IT", "", &["lombardia", "lazio", "toscana", "veneto", "piemonte", "emilia romagna", "sicilia", "sardegna", "puglia", "campania", "liguria", "calabria", "friuli venezia giulia", "umbria", "marche", "abruzzo", "trentino alto adige"]),
    Region("FR", "", &["ile de france", "hauts de france", "bretagne", "normandie", "occitanie", "nouvelle aquitaine", "provence", "alsace", "auvergne", "paca", "grand est", "pays de la loire", "nord", "gironde", "var", "rhone", "herault", "isere", "morbihan", "finistere"]),
    Region("NL", "", &["noord holland", "zuid holland", "noord brabant", "gelderland", "overijssel", "friesland", "drenthe", "zeeland", "flevoland"]),
    Region("PL", "", &["mazowieckie", "slaskie", "malopolskie", "dolnoslaskie", "wielkopolskie", "pomorskie"]),
    Region("MX", "", &["jalisco", "nuevo leon", "estado de mexico", "yucatan", "quintana roo", "baja california", "guanajuato", "michoacan", "cdmx", "sonora", "chihuahua", "sinaloa"]),
    Region("AR", "", &["provincia de buenos aires", "santa fe argentina", "mendoza argentina"]),
    Region("GB", "", &["kent", "essex", "surrey", "cornwall", "devon", "yorkshire", "west yorkshire", "lancashire", "merseyside", "greater manchester", "west midlands", "sussex", "east sussex", "west sussex", "norfolk", "suffolk", "hampshire", "dorset", "somerset", "cheshire", "derbyshire", "nottinghamshire", "leicestershire", "oxfordshire", "hertfordshire", "buckinghamshire", "cambridgeshire", "gloucestershire", "staffordshire", "tyne and wear", "cumbria"]),
];

/// City (folded) and country; only names that are not also everyday words or ambiguous between countries.
const CITIES: &[(&str, &str)] = &[
    ("berlin", "DE"), ("hamburg", "DE"), ("munchen", "DE"), ("munich", "DE"), ("koln", "DE"), ("cologne", "DE"), ("frankfurt", "DE"), ("stuttgart", "DE"), ("dusseldorf", "DE"), ("leipzig", "DE"),
    ("dresden", "DE"), ("hannover", "DE"), ("nurnberg", "DE"), ("nuremberg", "DE"), ("bremen", "DE"), ("dortmund", "DE"), ("essen", "DE"), ("bonn", "DE"), ("munster", "DE"), ("mannheim", "DE"), ("karlsruhe", "DE"), ("augsburg", "DE"), ("freiburg", "DE"), ("wiesbaden", "DE"), ("kiel", "DE"), ("rostock", "DE"), ("kassel", "DE"), ("bielefeld", "DE"),
    ("wien", "AT"), ("vienna", "AT"), ("graz", "AT"), ("salzburg", "AT"), ("innsbruck", "AT"), ("linz", "AT"), ("zurich", "CH"), ("basel", "CH"), ("bern", "CH"), ("geneve", "CH"), ("geneva", "CH"), ("lausanne", "CH"), ("luzern", "CH"),
    ("paris", "FR"), ("lyon", "FR"), ("marseille", "FR"), ("toulouse", "FR"), ("bordeaux", "FR"), ("lille", "FR"), ("nantes", "FR"), ("strasbourg", "FR"), ("montpellier", "FR"), ("rennes", "FR"), ("grenoble", "FR"), ("nice", "FR"), ("annecy", "FR"), ("rouen", "FR"), ("toulon", "FR"), ("dijon", "FR"), ("angers", "FR"),
    ("amsterdam", "NL"), ("rotterdam", "NL"), ("utrecht", "NL"), ("den haag", "NL"), ("eindhoven", "NL"), ("groningen", "NL"), ("haarlem", "NL"), ("nijmegen", "NL"), ("arnhem", "NL"), ("tilburg", "NL"), ("breda", "NL"), ("maastricht", "NL"), ("leiden", "NL"), ("zaandam", "NL"), ("almere", "NL"),
    ("brussels", "BE"), ("bruxelles", "BE"), ("brussel", "BE"), ("antwerpen", "BE"), ("antwerp", "BE"), ("gent", "BE"), ("ghent", "BE"), ("liege", "BE"), ("brugge", "BE"), ("leuven", "BE"), ("namur", "BE"),
    ("roma", "IT"), ("rome", "IT"), ("milano", "IT"), ("milan", "IT"), ("torino", "IT"), ("turin", "IT"), ("napoli", "IT"), ("naples", "IT"), ("bologna", "IT"), ("firenze", "IT"), ("florence", "IT"), ("venezia", "IT"), ("verona", "IT"), ("padova", "IT"), ("genova", "IT"), ("palermo", "IT"), ("catania", "IT"), ("bari", "IT"), ("brescia", "IT"), ("monza", "IT"), ("bergamo", "IT"), ("pordenone", "IT"), ("udine", "IT"), ("trieste", "IT"), ("parma", "IT"), ("modena", "IT"), ("rimini", "IT"), ("perugia", "IT"), ("cagliari", "IT"), ("pescara", "IT"),
    ("madrid", "ES"), ("barcelona", "ES"), ("valencia", "ES"), ("sevilla", "ES"), ("bilbao", "ES"), ("malaga", "ES"), ("zaragoza", "ES"), ("alicante", "ES"), ("murcia", "ES"), ("palma de mallorca", "ES"), ("donostia", "ES"), ("san sebastian", "ES"), ("vigo", "ES"), ("a coruna", "ES"), ("gijon", "ES"), ("oviedo", "ES"), ("ibiza", "ES"), ("tarragona", "ES"), ("girona", "ES"), ("pamplona", "ES"),
    ("lisboa", "PT"), ("lisbon", "PT"), ("porto", "PT"), ("coimbra", "PT"), ("braga", "PT"), ("aveiro", "PT"), ("setubal", "PT"),
    ("warszawa", "PL"), ("warsaw", "PL"), ("krakow", "PL"), ("cracow", "PL"), ("wroclaw", "PL"), ("poznan", "PL"), ("gdansk", "PL"), ("katowice", "PL"), ("lodz", "PL"), ("szczecin", "PL"), ("lublin", "PL"), ("bydgoszcz", "PL"), ("gdynia", "PL"), ("bialystok", "PL"), ("rzeszow", "PL"), ("torun", "PL"), ("gliwice", "PL"),
    ("praha", "CZ"), ("prague", "CZ"), ("brno", "CZ"), ("ostrava", "CZ"), ("plzen", "CZ"), ("olomouc", "CZ"), ("liberec", "CZ"), ("bratislava", "SK"), ("kosice", "SK"), ("budapest", "HU"), ("ljubljana", "SI"), ("zagreb", "HR"), ("beograd", "RS"), ("belgrade", "RS"), ("bucuresti", "RO"), ("bucharest", "RO"), ("cluj napoca", "RO"), ("sofia", "BG"), ("athens", "GR"), ("αθηνα", "GR"), ("thessaloniki", "GR"), ("istanbul", "TR"), ("ankara", "TR"), ("izmir", "TR"),
    ("москва", "RU"), ("moscow", "RU"), ("санкт-петербург", "RU"), ("санкт петербург", "RU"), ("спб", "RU"), ("saint petersburg", "RU"), ("екатеринбург", "RU"), ("новосибирск", "RU"), ("казань", "RU"), ("нижнии новгород", "RU"), ("краснодар", "RU"), ("ростов-на-дону", "RU"), ("самара", "RU"), ("воронеж", "RU"), ("уфа", "RU"), ("челябинск", "RU"), ("пермь", "RU"), ("красноярск", "RU"), ("сочи", "RU"), ("омск", "RU"), ("калининград", "RU"),
    ("киев", "UA"), ("киів", "UA"), ("kyiv", "UA"), ("kiev", "UA"), ("львов", "UA"), ("львів", "UA"), ("lviv", "UA"), ("одесса", "UA"), ("одеса", "UA"), ("odesa", "UA"), ("харьков", "UA"), ("харків", "UA"), ("днепр", "UA"), ("дніпро", "UA"), ("минск", "BY"), ("minsk", "BY"), ("вильнюс", "LT"), ("vilnius", "LT"), ("kaunas", "LT"), ("riga", "LV"), ("рига", "LV"), ("tallinn", "EE"), ("алматы", "KZ"), ("almaty", "KZ"), ("тбилиси", "GE"), ("tbilisi", "GE"),
    ("stockholm", "SE"), ("goteborg", "SE"), ("gothenburg", "SE"), ("malmo", "SE"), ("oslo", "NO"), ("bergen", "NO"), ("trondheim", "NO"), ("stavanger", "NO"), ("kobenhavn", "DK"), ("copenhagen", "DK"), ("aarhus", "DK"), ("odense", "DK"), ("helsinki", "FI"), ("tampere", "FI"), ("turku", "FI"), ("reykjavik", "IS"),
    ("manchester", "GB"), ("birmingham", "GB"), ("leeds", "GB"), ("liverpool", "GB"), ("glasgow", "GB"), ("edinburgh", "GB"), ("bristol", "GB"), ("sheffield", "GB"), ("cardiff", "GB"), ("nottingham", "GB"), ("leicester", "GB"), ("brighton", "GB"), ("newcastle upon tyne", "GB"), ("southampton", "GB"), ("belfast", "GB"), ("norwich", "GB"), ("dublin", "IE"), ("galway", "IE"),
    ("los angeles", "US"), ("new york city", "US"), ("nyc", "US"), ("brooklyn", "US"), ("san francisco", "US"), ("san diego", "US"), ("chicago", "US"), ("houston", "US"), ("austin", "US"), ("dallas", "US"), ("seattle", "US"), ("denver", "US"), ("miami", "US"), ("atlanta", "US"), ("las vegas", "US"), ("philadelphia", "US"), ("phoenix", "US"), ("nashville", "US"), ("minneapolis", "US"), ("detroit", "US"), ("new orleans", "US"), ("pittsburgh", "US"), ("salt lake city", "US"), ("honolulu", "US"), ("oakland", "US"), ("sacramento", "US"), ("tampa", "US"), ("orlando", "US"),
    ("toronto", "CA"), ("montreal", "CA"), ("vancouver", "CA"), ("calgary", "CA"), ("ottawa", "CA"), ("edmonton", "CA"), ("winnipeg", "CA"), ("sydney", "AU"), ("melbourne", "AU"), ("brisbane", "AU"), ("perth", "AU"), ("adelaide", "AU"), ("canberra", "AU"), ("gold coast", "AU"), ("auckland", "NZ"), ("christchurch", "NZ"),
    ("ciudad de mexico", "MX"), ("mexico city", "MX"), ("cdmx", "MX"), ("guadalajara", "MX"), ("monterrey", "MX"), ("tijuana", "MX"), ("cancun", "MX"), ("playa del carmen", "MX"), ("bogota", "CO"), ("medellin", "CO"), ("cali", "CO"), ("barranquilla", "CO"), ("cartagena de indias", "CO"), ("bucaramanga", "CO"), ("buenos aires", "AR"), ("rosario", "AR"), ("la plata", "AR"), ("mar del plata", "AR"),
    ("santiago de chile", "CL"), ("valparaiso", "CL"), ("vina del mar", "CL"), ("montevideo", "UY"), ("lima", "PE"), ("arequipa", "PE"), ("cusco", "PE"), ("quito", "EC"), ("guayaquil", "EC"), ("caracas", "VE"), ("la habana", "CU"), ("havana", "CU"), ("san jose costa rica", "CR"), ("asuncion", "PY"),
    ("sao paulo", "BR"), ("rio de janeiro", "BR"), ("belo horizonte", "BR"), ("curitiba", "BR"), ("porto alegre", "BR"), ("brasilia", "BR"), ("salvador bahia", "BR"), ("recife", "BR"), ("fortaleza", "BR"), ("florianopolis", "BR"), ("campinas", "BR"), ("goiania", "BR"), ("manaus", "BR"),
    ("tokyo", "JP"), ("東京", "JP"), ("osaka", "JP"), ("大阪", "JP"), ("kyoto", "JP"), ("京都", "JP"), ("hiroshima", "JP"), ("広島", "JP"), ("fukuoka", "JP"), ("nagoya", "JP"), ("yokohama", "JP"), ("sapporo", "JP"), ("kobe", "JP"), ("seoul", "KR"), ("busan", "KR"), ("bangkok", "TH"), ("chiang mai", "TH"), ("phuket", "TH"), ("singapore", "SG"), ("kuala lumpur", "MY"), ("bali", "ID"), ("jakarta", "ID"), ("manila", "PH"), ("taipei", "TW"), ("hong kong", "HK"), ("shanghai", "CN"), ("mumbai", "IN"), ("delhi", "IN"), ("bangalore", "IN"), ("tel aviv", "IL"), ("dubai", "AE"), ("cape town", "ZA"), ("johannesburg", "ZA"), ("lagos", "NG"), ("casablanca", "MA"),
];

fn key(name: &str) -> String {
    tokens(name).join(" ")
}

static BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    COUNTRIES.iter().flat_map(|country| country.3.iter().map(|name| (key(name), country.0))).collect()
});
static REGION_BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| {
    REGIONS.iter().flat_map(|region| region.2.iter().map(|name| (key(name), region.0))).collect()
});
static CITY_BY_NAME: LazyLock<HashMap<String, &'static str>> = LazyLock::new(|| CITIES.iter().map(|(city, country)| (key(city), *country)).collect());

/// The country a text names, as ISO code; two letters count only in capitals.
pub(crate) fn country_by_name(text: &str) -> Option<&'static str> {
    let text = text.trim().trim_end_matches('.');
    if text.chars().count() == 2 {
        return if text == "UK" { Some("GB") } else { country_by_code(text) };
    }
    BY_NAME.get(&key(text)).copied().or_else(|| {
        (text.len() == 3 && text.chars().all(|letter| letter.is_ascii_uppercase()))
            .then(|| rust_iso3166::from_alpha3(text))
            .flatten()
            .and_then(|country| country_by_code(country.alpha2))
    })
}

/// An ISO code that is in use.
pub(crate) fn country_by_code(code: &str) -> Option<&'static str> {
    rust_iso3166::from_alpha2(&code.to_uppercase()).map(|country| country.alpha2)
}

/// The country of a state, province or region by its name.
pub(crate) fn country_of_region(text: &str) -> Option<&'static str> {
    REGION_BY_NAME.get(&key(text)).copied()
}

/// The country of a code such as `OR` or `VIC`; only for the three countries whose addresses carry one.
pub(crate) fn country_of_region_code(code: &str, postcode_digits: usize) -> Option<&'static str> {
    let wanted = match postcode_digits {
        5 | 9 => "US",
        4 => "AU",
        _ => "CA",
    };
    REGIONS.iter().find(|region| region.0 == wanted && region.1 == code).map(|region| region.0)
}

/// Is this a code of a US state or Canadian province, and of which country?
pub(crate) fn north_american_code(code: &str) -> Option<&'static str> {
    REGIONS.iter().find(|region| matches!(region.0, "US" | "CA") && region.1 == code && !code.is_empty()).map(|region| region.0)
}

/// The country of a well-known city.
pub(crate) fn country_of_city(text: &str) -> Option<&'static str> {
    CITY_BY_NAME.get(&key(text)).copied()
}

/// The country that an international number is dialled into; `+1` and `+7` stay ambiguous.
pub(crate) fn country_by_dialling(phone: &str) -> Option<&'static str> {
    let digits: String = phone.chars().filter(char::is_ascii_digit).collect();
    let trimmed = phone.trim();
    let rest = if trimmed.starts_with('+') || trimmed.starts_with("(+") { digits.as_str() } else { digits.strip_prefix("00")? };
    if rest.starts_with('1') {
        return None;
    }
    if rest.starts_with('7') {
        return (rest.len() == 11).then(|| if matches!(rest.as_bytes().get(1), Some(b'6' | b'7')) { "KZ" } else { "RU" });
    }
    (1..=3).rev().find_map(|len| {
        let code = rest.get(..len)?;
        COUNTRIES.iter().find(|country| country.1 == code).map(|country| country.0)
    })
}

/// The country of a host name's national ending; endings sold as words (`.co`, `.me`, `.io`, `.tv`) tell nothing.
pub(crate) fn country_by_domain(host: &str) -> Option<&'static str> {
    let ending = host.rsplit('.').next()?.to_lowercase();
    if matches!(ending.as_str(), "co" | "me" | "io" | "tv" | "ge" | "is" | "in") {
        return None;
    }
    COUNTRIES.iter().find(|country| country.2 == ending).map(|country| country.0)
}

/// The known cities as folded names, for finding one inside a sentence.
pub(crate) fn city_in(words: &[String]) -> Option<(usize, usize, &'static str)> {
    for at in 0..words.len() {
        for len in (1..=3).rev() {
            if let Some(window) = words.get(at..at + len) {
                if let Some(country) = CITY_BY_NAME.get(&window.join(" ")) {
                    return Some((at, len, country));
                }
            }
        }
    }
    None
}

/// Is the text a country, a region or a continent, so no city?
pub(crate) fn is_wide(text: &str) -> bool {
    country_by_name(text).is_some() || country_of_region(text).is_some() || ["europe", "europa", "asia", "america", "worldwide", "south america"].contains(&fold(text).as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_codes_and_numbers_lead_to_countries() {
        assert_eq!(country_by_name("Deutschland"), Some("DE"));
        assert_eq!(country_by_name("España"), Some("ES"));
        assert_eq!(country_by_name("UK"), Some("GB"));
        assert_eq!(country_by_name("xx"), None);
        assert_eq!(country_by_dialling("+48 531 000 111"), Some("PL"));
        assert_eq!(country_by_dialling("+1 518 203 7730"), None);
        assert_eq!(country_by_dialling("531 000 111"), None);
        assert_eq!(country_by_domain("ink.co"), None);
        assert_eq!(country_by_domain("ink.nl"), Some("NL"));
        assert_eq!(country_of_region_code("OR", 5), Some("US"));
        assert_eq!(country_of_region_code("VIC", 4), Some("AU"));
        assert_eq!(country_of_region("Ontario"), Some("CA"));
    }
}
