//! JSON lines, and arrays of objects.

use super::*;

fn json(text: &str, columns: &[&str], mapping: Option<&str>) -> Source {
    file("people.jsonl", text, SourceKind::JsonLines, columns, mapping)
}

#[tokio::test]
async fn keys_of_all_objects_are_columns_of_text() {
    let text = "{\"id\": 12345678901234567890, \"name\": \"Zoë\\n\", \"pay\": 1.10}\n\n{\"pay\": null, \"tags\": [1, \"a\"], \"id\": \
                1}\r\n{\"name\": \"\", \"ok\": true}";
    let mapping = "SELECT id, name, CAST(pay AS DECIMAL(6,2)) AS pay, tags, ok FROM source";
    let columns = ["id varchar", "name varchar", "pay decimal(6,2)", "tags varchar", "ok boolean"];
    let found = rows(&json(text, &columns, Some(mapping))).await;
    assert_rows(&found, &["|12345678901234567890|Zoë|1.10|||", "||||||", "|1|||[1,\"a\"]||", "|||||true|"]);
    let mapping = "SELECT count(*) FILTER (WHERE name = '') AS none FROM source";
    assert_rows(&rows(&json(text, &["none bigint"], Some(mapping))).await, &["|1|"]);
}

#[tokio::test]
async fn an_array_of_objects_is_read_like_lines() {
    let text = "\u{feff}\n[\n  {\"id\": 1, \"name\": \"a,]\"},\n  {\n \"id\": 2}\n]\n";
    let found = rows(&json(text, &["id integer", "name varchar"], None)).await;
    assert_rows(&found, &["|1|a,]|", "|2||"]);
    let text = text.replace("2}", "\"4x7\"}");
    let told = refused(&json(&text, &["id integer"], None), &["4x7"]).await;
    assert!(told.starts_with("dataset people: people.jsonl line 4: column id can't be computed as integer"), "{told}");
}

#[tokio::test]
async fn a_line_that_is_no_object_is_named_and_not_quoted() {
    let columns = ["a varchar"];
    for (text, expected) in [
        ("{\"a\": 1}\n\n{\"a\": secret}\n", "line 3: no row can be made of it, since its syntax is not JSON's"),
        ("{\"a\": 1}\n{\"a\": \"secret\"\n{\"a\": 3}\n", "line 2: no row can be made of it, since its syntax"),
        ("{\"a\": 1}\n\"secret\"\n", "line 2: no row can be made of it, since it is another value than an object"),
        ("{\"a\": 1}\n{\"a\": 1, \"a\": \"secret\"}\n", "line 2: no row can be made of it, since it has a key twice"),
        ("{\"a\": 1}\n[{\"a\": \"secret\"}]\n", "line 2: no row can be made of it, since it is another value"),
        ("[{\"a\": 1},\n{\"a\": \"secret\"}", "line 2: no row can be made of it, since the file ends within"),
        ("[{\"a\": 1}]\nsecret", "line 2: no row can be made of it, since something stands behind its end"),
        ("", "can't be read: it has no object with a key"),
    ] {
        let told = refused(&json(text, &columns, None), &["secret"]).await;
        assert!(told.starts_with(&format!("dataset people: people.jsonl {expected}")), "{text}\n{told}");
    }
    let bytes = b"{\"a\": 1}\n{\"a\": \"\xff\"}\n";
    let told = refused(&file("people.jsonl", bytes, SourceKind::JsonLines, &columns, None), &[]).await;
    assert!(told.starts_with("dataset people: people.jsonl line 2: text that is not UTF-8"), "{told}");
}

#[tokio::test]
async fn many_lines_are_several_batches_and_a_value_is_found_in_the_right_one() {
    let mut text = String::new();
    for id in 0..20_000 {
        text.push_str(&format!("{{\"id\": {id}}}\n"));
    }
    let found = json(&text, &["id integer!"], None);
    assert_eq!(load(&found.spec, &context(), now()).await.unwrap().rows, 20_000);
    text.push_str("{\"id\": \"4x7\"}\n");
    let told = refused(&json(&text, &["id integer"], None), &["4x7"]).await;
    assert!(told.starts_with("dataset people: people.jsonl line 20001: column id"), "{told}");
}
