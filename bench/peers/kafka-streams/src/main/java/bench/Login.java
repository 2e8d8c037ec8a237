package bench;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;

/**
 * A login, read by a streaming parser: of its members only the counted ones and the timestamp are kept. Of a member that stands
 * twice the last one counts; one that is missing, null or empty counts as "unknown".
 */
final class Login {
    private static final JsonFactory JSON = new JsonFactory();

    private final byte[] bytes;
    private final String[] values;
    private final double seconds;

    private Login(byte[] bytes, String[] values, double seconds) {
        this.bytes = bytes;
        this.values = values;
        this.seconds = seconds;
    }

    /** `fields` are interned, as the parser's names are. */
    static Login parse(byte[] bytes, String[] fields) {
        String[] values = new String[fields.length];
        double seconds = 0;
        try (JsonParser parser = JSON.createParser(bytes)) {
            if (parser.nextToken() != JsonToken.START_OBJECT) throw new IllegalArgumentException("no object");
            for (String name = parser.nextFieldName(); name != null; name = parser.nextFieldName()) {
                JsonToken token = parser.nextToken();
                int index = indexOf(fields, name);
                if (index >= 0) values[index] = token == JsonToken.VALUE_NULL ? null : parser.getText();
                else if (name == "timestamp") seconds = Double.parseDouble(parser.getText());
                else parser.skipChildren();
            }
        } catch (IOException error) {
            throw new IllegalArgumentException(error);
        }
        return new Login(bytes, values, seconds);
    }

    private static int indexOf(String[] fields, String name) {
        for (int index = 0; index < fields.length; index++) if (fields[index] == name) return index;
        return -1;
    }

    /** The key of the table for one field, e.g. `locale:RU`. */
    String key(String[] fields, int index) {
        String value = values[index];
        return fields[index] + ':' + (value == null || value.isEmpty() ? "unknown" : encode(value));
    }

    private static String encode(String value) {
        if (value.indexOf('%') < 0 && value.indexOf(':') < 0 && value.indexOf('+') < 0) return value;
        return value.replace("%", "%25").replace(":", "%3A").replace("+", "%2B");
    }

    /** Its bytes up to the closing brace, and three members more. */
    byte[] enriched() {
        Instant processed = Instant.ofEpochMilli(System.currentTimeMillis());
        Instant login = Instant.ofEpochMilli((long) (seconds * 1000));
        String added = ",\"processed_time\":\"" + processed + "\",\"login_time\":\"" + login
            + "\",\"latency_ms\":" + (processed.toEpochMilli() - login.toEpochMilli()) + "}";
        int brace = bytes.length - 1;
        while (bytes[brace] != '}') brace--;
        byte[] tail = added.getBytes(StandardCharsets.ISO_8859_1);
        byte[] result = new byte[brace + tail.length];
        System.arraycopy(bytes, 0, result, 0, brace);
        System.arraycopy(tail, 0, result, brace, tail.length);
        return result;
    }
}
