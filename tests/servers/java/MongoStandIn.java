import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.h2.H2Backend;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import java.util.List;
import org.h2.mvstore.MVStore;

/** Speaks MongoDB's protocol: FILE PORT. What it has answered is in the file, so kill -9 takes nothing of it back. */
public final class MongoStandIn {
    public static void main(String[] arguments) {
        MVStore file = new MVStore.Builder().fileName(arguments[0]).open();
        file.setRetentionTime(1000);
        H2Backend backend = new H2Backend(file) {
            @Override
            public Document handleMessage(MongoMessage message) {
                Document answer = super.handleMessage(message);
                file.commit();  // does nothing after a read
                return answer;
            }
        };
        backend.version(new MongoVersion() {
            @Override
            public List<Integer> getVersionArray() {
                return List.of(5, 0, 0);
            }

            @Override
            public int getWireVersion() {
                return 13;  // pymongo refuses less
            }
        });
        new MongoServer(backend).bind("127.0.0.1", Integer.parseInt(arguments[1]));
    }
}
